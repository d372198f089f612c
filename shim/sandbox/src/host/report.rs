//! What a look at the host found, for people and for programs.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to look at.
#[derive(Clone, Debug)]
pub struct CheckInputs {
    /// The `husk-vmm` binary.
    pub vmm: PathBuf,
    /// Kernel and initramfs, as the sandbox would use them.
    pub artefacts: Vec<Artefact>,
    /// Where images are cached.
    pub image_dir: PathBuf,
    /// Where the state of pods lives.
    pub state_dir: PathBuf,
}

/// A file that a machine boots from.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// What it is, for people.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its recorded SHA-256, where one is recorded.
    pub sha256: Option<String>,
}

/// Every check, in the order in which a person fixes things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Stable name, lower case with dashes.
    pub name: String,
    /// How it went.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// No machine runs until this is fixed.
    Fail,
}

impl Report {
    /// Whether machines can run.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.checks.iter().all(|check| check.status != Status::Fail)
    }
}

/// A table for people; a fix stands below what it fixes.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .checks
            .iter()
            .map(|check| check.name.len())
            .max()
            .unwrap_or(0);
        for check in &self.checks {
            let mark = match check.status {
                Status::Ok => "ok",
                Status::Warn => "warn",
                Status::Fail => "FAIL",
            };
            writeln!(f, "{mark:<4}  {:<width$}  {}", check.name, check.found)?;
            if let Some(fix) = &check.fix {
                writeln!(f, "{:<4}  {:<width$}  fix: {fix}", "", "")?;
            }
        }
        Ok(())
    }
}

impl Check {
    /// Everything is as it should be.
    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            status: Status::Ok,
            found: found.into(),
            fix: None,
        }
    }

    /// It works, but could be better.
    pub(super) fn warn(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        let (found, fix) = (found.into(), Some(fix.into()));
        Self {
            name: name.to_owned(),
            status: Status::Warn,
            found,
            fix,
        }
    }

    /// Nothing runs until this is fixed.
    pub(super) fn fail(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            status: Status::Fail,
            ..Self::warn(name, found, fix)
        }
    }
}
