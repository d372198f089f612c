//! `cargo xtask image`: a small OCI image from Debian's busybox-static, without a registry and without a daemon.
//!
//! - `tree`: the root file system as a layer.
//! - `layout`: the layer in an OCI image layout, as one tar archive.
//!
//! Called by `commands`.

mod layout;
mod tree;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::host;
use crate::paths::Workspace;

/// Writes `busybox.tar` into the artefacts; equal programs give equal bytes.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    host::ensure_packages(host::RUN)?;
    let layer = tree::layer()?;
    let archive = layout::archive(&layer)?;
    let artefacts = workspace.artefacts();
    fs::create_dir_all(&artefacts)
        .with_context(|| format!("cannot make {}", artefacts.display()))?;
    let path = artefacts.join("busybox.tar");
    let partial = artefacts.join(".busybox.tar.partial");
    fs::write(&partial, archive).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
