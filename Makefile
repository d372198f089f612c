# Two commands; everything else is `cargo xtask --help`.

.PHONY: run test cargo

# Builds what is missing and runs a command in a microVM.
run: cargo
	@cargo xtask run

# Everything that CI runs.
test: cargo
	@cargo xtask test

cargo:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or newer from https://rustup.rs, then open a new shell" >&2; exit 1; }
	@command -v cc >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends gcc libc6-dev; }
