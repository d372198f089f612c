//! Builds husk-agent and packs it.
//!
//! The kernel's own built-in archive brings /dev and /dev/console, and the agent makes the directories that it mounts on,
//! so the initramfs holds /init and nothing else.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::elf;
use crate::host;
use crate::paths::Workspace;
use crate::process;

/// A pod's memory holds the agent as long as the pod lives.
const MAX_AGENT_BYTES: usize = 6 << 20;

/// Builds the agent and writes `initramfs.cpio` into the artefacts; gives back its path.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    host::ensure_packages(host::AGENT)?;
    host::ensure_musl()?;
    compile(workspace)?;
    let program = workspace.target.join(host::MUSL).join("release/husk-agent");
    let agent = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    elf::require_static(&agent).with_context(|| program.display().to_string())?;
    if agent.len() > MAX_AGENT_BYTES {
        bail!(
            "{} has {} bytes, at most {MAX_AGENT_BYTES}",
            program.display(),
            agent.len()
        );
    }
    let artefacts = workspace.artefacts();
    fs::create_dir_all(&artefacts)
        .with_context(|| format!("cannot make {}", artefacts.display()))?;
    let path = artefacts.join("initramfs.cpio");
    let partial = artefacts.join(".initramfs.cpio.partial");
    fs::write(&partial, archive(&agent)?)
        .with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn compile(workspace: &Workspace) -> Result<()> {
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
    process::run(
        Command::new("cargo")
            .args(["build", "--quiet", "--release", "--package", "husk-agent"])
            .args(["--target", host::MUSL])
            .current_dir(&workspace.root)
            .env("CARGO_TARGET_DIR", &workspace.target)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env_remove("RUSTFLAGS"),
    )
}

/// The initramfs around this program.
fn archive(agent: &[u8]) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    archive.file("init", 0o755, agent)?;
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::archive;

    #[test]
    fn same_agent_gives_the_same_archive() {
        assert_eq!(archive(b"program").unwrap(), archive(b"program").unwrap());
    }
}
