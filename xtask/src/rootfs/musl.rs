//! Static programs for guests: no C library, no loader, one fixed address.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::elf;
use crate::host;
use crate::paths::Workspace;
use crate::process;

/// Builds a package's program of the same name and proves that it is static.
pub(crate) fn build(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    host::ensure_packages(host::AGENT)?;
    host::ensure_musl()?;
    let cargo_home = env::var("CARGO_HOME")
        .or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    let mut flags = vec![
        // One address, no relocations: nothing to do before main.
        "-Crelocation-model=static".to_owned(),
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=/husk", workspace.root.display()),
    ];
    if !cargo_home.is_empty() {
        flags.push(format!("--remap-path-prefix={cargo_home}=/cargo"));
    }
    process::run_step(
        workspace,
        package,
        Command::new("cargo")
            .args(["build", "--release", "--package", package])
            .args(["--target", host::MUSL])
            .current_dir(&workspace.root)
            .env("CARGO_TARGET_DIR", &workspace.target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env_remove("RUSTFLAGS"),
        |_| {},
    )?;
    let program = workspace
        .target
        .join(host::MUSL)
        .join("release")
        .join(package);
    let content =
        fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    elf::require_static(&content).with_context(|| program.display().to_string())?;
    Ok(program)
}
