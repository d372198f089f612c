//! Processes of containers, as the agent sees them from outside.
//!
//! `launch` starts the helper that makes one and reads its `report`; `reaper` learns how each one ends; `stdio` makes
//! the pipes, `privileges` knows capability sets. Called by `container`; may use `stream` and `helper`'s wire types.

mod launch;
mod privileges;
mod reaper;
mod report;
mod signal;
mod stdio;

pub(crate) use launch::{LaunchError, Starting, job_from_environment, launch};
pub(crate) use privileges::Privileges;
pub(crate) use reaper::{Exit, ExitWatch, Reaper};
pub(crate) use report::{Action, FailureClass, HelperJob, Record, write_record};
pub(crate) use signal::parse_signal;
pub(crate) use stdio::{Pipes, make_pipes};
