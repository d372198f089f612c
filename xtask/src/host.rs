//! What the host must have: Debian packages, the Rust target of the agent, /dev/kvm.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// What the kernel's build needs.
pub(crate) const KERNEL: &[&str] = &[
    "bc",
    "binutils",
    "bison",
    "flex",
    "gcc",
    "libc6-dev",
    "libelf-dev",
    "lz4",
    "make",
    "patch",
    "xz-utils",
];
/// What `husk run` needs on the host, and the program in the image that the README runs.
pub(crate) const RUN: &[&str] = &["busybox-static", "e2fsprogs", "erofs-utils"];
/// What benches and comparisons put Husk beside.
pub(crate) const PEER: &[&str] = &["runc"];
/// What unit tests are linked with: the oracle of the agent's seccomp compiler. No product has it.
pub(crate) const TESTS: &[&str] = &["libseccomp-dev"];
/// What compiles C for the agent's target.
pub(crate) const AGENT: &[&str] = &["gcc", "libc6-dev", "musl-tools"];

/// The agent's target: static, without a C library of the host.
pub(crate) const MUSL: &str = "x86_64-unknown-linux-musl";

/// Installs the Debian packages that are missing; says nothing when none is.
pub(crate) fn ensure_packages(wanted: &[&str]) -> Result<()> {
    let missing = missing_packages(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    eprintln!("installing {list}");
    let fix = || format!("as root: apt-get update && apt-get install -y {list}");
    update_index().with_context(fix)?;
    process::output(
        Command::new("apt-get")
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .with_context(fix)?;
    Ok(())
}

/// Fetches apt's package lists.
pub(crate) fn update_index() -> Result<()> {
    process::output(Command::new("apt-get").args(["update", "-q"])).map(drop)
}

fn missing_packages<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    // It fails when it does not know one of them: its list is what counts, not its status.
    let out = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\n"])
        .args(wanted)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("dpkg-query is missing: is this Debian? needed: {wanted:?}"))?;
    Ok(not_installed(wanted, &String::from_utf8_lossy(&out.stdout)))
}

/// The wanted packages that dpkg's list does not call installed.
fn not_installed<'a>(wanted: &[&'a str], list: &str) -> Vec<&'a str> {
    let installed = |name: &str| list.lines().any(|line| line == format!("{name} installed"));
    wanted
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect()
}

/// Adds the agent's target to the toolchain when it is missing.
pub(crate) fn ensure_musl() -> Result<()> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = format!("{}/lib/rustlib/{MUSL}/lib", sysroot.trim());
    if std::path::Path::new(&library).is_dir() {
        return Ok(());
    }
    eprintln!("adding the rust target {MUSL}");
    process::run(Command::new("rustup").args(["target", "add", MUSL]))
        .with_context(|| format!("the rust target {MUSL} is missing: rustup target add {MUSL}"))
}

/// Refuses to go on without a usable /dev/kvm.
pub(crate) fn require_kvm() -> Result<()> {
    let opened = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm");
    if let Err(error) = opened {
        bail!(
            "/dev/kvm: {error}; load kvm_intel or kvm_amd, or give this user access (group kvm); \
             HUSK_SKIP_KVM=1 leaves the end-to-end tests out"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::not_installed;

    #[test]
    fn package_that_dpkg_knows_but_removed_is_missing() {
        let list = "bc installed\nflex config-files\n";
        assert_eq!(not_installed(&["bc", "flex", "lz4"], list), ["flex", "lz4"]);
    }
}
