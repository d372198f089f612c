//! Processes of containers, as the agent sees them from outside.
//!
//! `launch` starts the helper that makes one and reads its `report`; `reaper` learns how each one ends; `stdio` makes
//! the pipes, `terminal` pseudo-terminals, `privileges` knows capability sets, `command` says why one cannot run, `raw`
//! (an unsafe room) makes a child that shares the agent's memory. Called by `container`, `exec` and `pod`; may use
//! `stream` and `helper`'s wire types.

mod command;
mod launch;
mod privileges;
mod raw;
mod reaper;
mod report;
mod signal;
mod stdio;
mod terminal;

pub(crate) use command::{Failure, environment, search_path};
pub(crate) use launch::{LaunchError, Starting, job_from_environment, launch};
pub(crate) use privileges::Privileges;
pub(crate) use raw::{FIRST_OTHER, checked, close_range, exit, map_mount, vfork};
pub(crate) use reaper::{Exit, ExitWatch, Reaper};
pub(crate) use report::{Action, FailureClass, HelperJob, Names, Record, Shared, write_record};
pub(crate) use signal::parse_signal;
pub(crate) use stdio::{ChildEnds, Pipes, make_pipes};
pub(crate) use terminal::{Console, Devpts, give_terminal};
