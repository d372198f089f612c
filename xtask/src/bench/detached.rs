//! A container in the background, for what is done with one that runs.

use std::process::{self, Command};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::husk;
use crate::paths::Workspace;
use crate::process::output;

/// A sleeping container; removed when dropped.
#[derive(Debug)]
pub(crate) struct Detached<'a> {
    workspace: &'a Workspace,
    name: String,
}

/// One of the array that `husk stats --json` prints.
#[derive(Debug, Deserialize)]
struct Row {
    kernel_instructions: u64,
}

impl<'a> Detached<'a> {
    /// Starts it; it runs when this returns.
    pub(crate) fn start(workspace: &'a Workspace) -> Result<Self> {
        let detached = Self {
            workspace,
            name: format!("husk-bench-{}", process::id()),
        };
        let mut run = detached.husk(&["run", "-d", "--name", &detached.name]);
        run.arg(husk::image(workspace)).args(["sleep", "1000000"]);
        output(&mut run)?;
        Ok(detached)
    }

    /// Guest-kernel instructions of one `husk exec` of `command`, from request to exit status.
    pub(crate) fn exec(&self, command: &[&str]) -> Result<f64> {
        // Asking costs too.
        let (first, before) = (self.instructions()?, self.instructions()?);
        output(self.husk(&["exec", &self.name]).args(command))?;
        let after = self.instructions()?;
        let asking = before.saturating_sub(first);
        Ok(husk::float(
            after.saturating_sub(before).saturating_sub(asking),
        ))
    }

    fn instructions(&self) -> Result<u64> {
        let json = output(&mut self.husk(&["stats", "--no-stream", "--json", &self.name]))?;
        let rows: Vec<Row> =
            serde_json::from_str(&json).with_context(|| format!("husk stats: {}", json.trim()))?;
        let row = rows
            .first()
            .with_context(|| format!("husk stats knows no {}", self.name))?;
        Ok(row.kernel_instructions)
    }

    fn husk(&self, words: &[&str]) -> Command {
        let mut husk = Command::new(self.workspace.artefacts().join("husk"));
        husk.args(words)
            .env("HUSK_ARTEFACTS", self.workspace.artefacts());
        husk
    }
}

impl Drop for Detached<'_> {
    fn drop(&mut self) {
        if let Err(error) = output(&mut self.husk(&["rm", "-f", &self.name])) {
            eprintln!("{}: {error:#}", self.name);
        }
    }
}
