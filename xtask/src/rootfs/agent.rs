//! Builds husk-agent and packs it.
//!
//! The kernel's own built-in archive brings /dev and /dev/console, and the agent makes the directories that it mounts on,
//! so the initramfs holds /init and nothing else.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::musl;
use crate::paths::Workspace;

/// A pod's memory holds the agent as long as the pod lives.
const MAX_AGENT_BYTES: usize = 6 << 20;

/// Builds the agent and writes `initramfs.cpio` into the artefacts; gives back its path.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let program = musl::build(workspace, "husk-agent")?;
    let agent = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
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
