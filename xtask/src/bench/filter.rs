//! What loading a container's filter costs: differences that a program of the end-to-end tests takes in one guest.

use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Workspace;
use crate::process::output;

/// Instructions of as many loads, each the difference of two executions in containers with Docker's filter and without.
pub(crate) fn loads(workspace: &Workspace, pairs: u32) -> Result<Vec<f64>> {
    let mut command = Command::new("cargo");
    command
        .args(["run", "--quiet", "--package", "husk-tests"])
        .args(["--bin", "husk-filter-cost", "--"])
        .arg(pairs.to_string())
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", &workspace.target)
        .env("HUSK_ARTEFACTS", workspace.artefacts());
    let said = output(&mut command)?;
    serde_json::from_str(said.trim())
        .with_context(|| format!("husk-filter-cost wrote {:?}", said.trim()))
}
