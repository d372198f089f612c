//! `cargo xtask image`: a small OCI image from Debian's busybox-static, without a registry and without a daemon.
//!
//! - `tree`: the root file system as a layer.
//! - `layout`: the layer in an OCI image layout, as one tar archive.
//!
//! Called by `commands` and `programs`.

mod layout;
mod tree;

use std::fs::{self, File};
use std::io::{BufWriter, Cursor};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use crate::host;
use crate::paths::Workspace;

pub(crate) use layout::write;

/// The reference that engines give the image when they import it.
const REFERENCE: &str = "localhost/husk-busybox:latest";

/// Writes `busybox.tar` into the artefacts; equal programs give equal bytes.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    host::ensure_packages(host::RUN)?;
    let layer = tree::layer()?;
    let config = json!({ "Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "WorkingDir": "/" });
    let artefacts = workspace.artefacts();
    fs::create_dir_all(&artefacts)
        .with_context(|| format!("cannot make {}", artefacts.display()))?;
    let path = artefacts.join("busybox.tar");
    let partial = artefacts.join(".busybox.tar.partial");
    let out =
        File::create(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
    layout::write(
        BufWriter::new(out),
        REFERENCE,
        &config,
        &mut Cursor::new(layer),
    )?;
    fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
