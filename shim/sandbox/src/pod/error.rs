//! What goes wrong with a pod.

use std::{fmt, io, path::PathBuf};

use husk_machine::api::{ExitReason, ExitReport, control::Stage};
use thiserror::Error;

use super::Timeline;
use crate::{
    agent::{AgentError, Refusal},
    images::scratch::ScratchError,
    machine::{MachineError, ProcessEnd},
};

/// A pod that does not do what was asked.
#[derive(Debug, Error)]
pub enum PodError {
    /// A name that cannot be one.
    #[error(
        "name {name:?} is not 1 to 63 letters, digits, '_', '.' or '-', beginning with a letter or digit"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// The name is taken.
    #[error("name {name:?} is in use: choose another --name, or remove the pod that has it")]
    NameInUse {
        /// The name.
        name: String,
    },
    /// A file or directory of the pod.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The scratch disk.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Not now.
    #[error("{what} is {state}: cannot {wish}")]
    Refused {
        /// The pod or process.
        what: String,
        /// Where it is.
        state: String,
        /// What was asked.
        wish: &'static str,
    },
    /// The machine ended while something was due.
    #[error("{0}")]
    MachineEnded(Box<MachineEnd>),
    /// The owner's task is no more.
    #[error("the pod's owner has ended")]
    OwnerGone,
}

impl PodError {
    /// Which kind of no the agent said, if it was the agent.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Agent(AgentError::Refused { refusal, .. }) => Some(*refusal),
            _ => None,
        }
    }
}

/// How a machine ended, with all that is known about why.
#[derive(Clone, Debug)]
pub struct MachineEnd {
    /// Why it was ended from outside, when it was for a fault.
    pub fault: Option<String>,
    /// The VMM's own last message; `None`: it ended without one.
    pub report: Option<ExitReport>,
    /// How its process ended.
    pub process: Option<ProcessEnd>,
    /// The last of what the VMM wrote to its standard output and error.
    pub log_tail: String,
    /// What happened when.
    pub timeline: Timeline,
    /// What could not be removed.
    pub leftovers: Vec<String>,
}

impl MachineEnd {
    /// Whether it ended because a door asked for it, and for no other reason.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        let stopped = |report: &ExitReport| report.reason == ExitReason::Stopped;
        self.fault.is_none() && self.report.as_ref().is_some_and(stopped)
    }

    /// Whether the VMM itself says why it ended before the guest's first instruction.
    #[must_use]
    pub fn is_before_guest(&self) -> bool {
        self.report.as_ref().is_some_and(|report| {
            let mut stages = report.metrics.stages.iter();
            !stages.any(|mark| mark.stage == Stage::GuestStart)
        })
    }
}

/// One line: why.
impl fmt::Display for MachineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.report, &self.fault, &self.process) {
            // What the machine itself met says more than what was seen of it from outside.
            (Some(report), _, _) if report.reason != ExitReason::Stopped => {
                write_reason(f, &report.reason)
            }
            // One that ended by itself without a report has said why; what broke with it came of that.
            (None, Some(fault), end) if !matches!(end, Some(ProcessEnd::Code(_))) => {
                f.write_str(fault)
            }
            (Some(_), Some(fault), _) => f.write_str(fault),
            (Some(report), None, _) => write_reason(f, &report.reason),
            (None, _, Some(end)) => {
                let last = self.log_tail.lines().last().unwrap_or_default();
                let colon = if last.is_empty() { "" } else { ": " };
                write!(f, "the VMM ended with {end} and no report{colon}{last}")
            }
            (None, _, None) => f.write_str("the VMM ended"),
        }
    }
}

fn write_reason(f: &mut fmt::Formatter<'_>, reason: &ExitReason) -> fmt::Result {
    match reason {
        ExitReason::GuestReset => f.write_str("the guest reset itself"),
        ExitReason::GuestHalt => f.write_str("the guest halted"),
        ExitReason::GuestPanic(line) => write!(f, "the guest kernel panicked: {line}"),
        ExitReason::TripleFault => f.write_str("the guest ended in a triple fault"),
        ExitReason::Stopped => f.write_str("the machine was stopped"),
        ExitReason::Refused(text) => f.write_str(text),
        ExitReason::Failed(text) => write!(f, "the machine failed: {text}"),
    }
}
