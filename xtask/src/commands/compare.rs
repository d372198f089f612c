//! `cargo xtask compare`: the same containers under runc and in a guest.

use std::process::Command;

use anyhow::Result;

use super::build;
use crate::host;
use crate::paths::Workspace;
use crate::process;

/// Builds what is missing and compares; names choose among the specifications.
pub(crate) fn compare(workspace: &Workspace, names: &[String]) -> Result<()> {
    host::require_kvm()?;
    host::ensure_packages(&[host::RUN, host::PEER].concat())?;
    build::build(workspace)?;
    build::probe(workspace)?;
    process::run(
        Command::new("cargo")
            .args(["run", "--quiet", "--package", "husk-tests"])
            .args(["--bin", "husk-compare", "--"])
            .args(names)
            .current_dir(&workspace.root)
            .env("CARGO_TARGET_DIR", &workspace.target)
            .env("HUSK_ARTEFACTS", workspace.artefacts()),
    )
}
