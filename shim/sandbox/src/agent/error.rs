//! What goes wrong between the host and the agent.

use std::io;

use husk_protocol::{agent::FailureKind, failure};
use thiserror::Error;
use ttrpc::{Code, Error as RpcError};

/// The most characters of an agent's words that go on to a person.
const MAX_WORDS: usize = 2048;

/// A call or a stream that failed.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The pod's socket cannot be used.
    #[error("vsock socket of the pod")]
    Socket(#[from] io::Error),
    /// The guest refused the connection, or ended before it took it.
    #[error("the guest did not take a connection to port {port}")]
    NotTaken {
        /// The vsock port.
        port: u32,
    },
    /// The connection broke during a call.
    #[error("the connection to the agent broke during {call}: {text}")]
    Broken {
        /// The call.
        call: &'static str,
        /// How.
        text: String,
    },
    /// The agent said no.
    #[error("{text}")]
    Refused {
        /// What kind of no.
        refusal: Refusal,
        /// Its words, cleaned.
        text: String,
    },
    /// An answer that no honest agent gives.
    #[error("the agent's answer to {call} is not valid: {what}")]
    Invalid {
        /// The call.
        call: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// The kinds of no that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The command does not exist in the container.
    CommandNotFound,
    /// The command exists and cannot be executed.
    CommandNotExecutable,
    /// The container or process is not in a state for that.
    State,
    /// Anything else; the words say what.
    Other,
}

impl AgentError {
    pub(super) fn from_rpc(call: &'static str, error: &RpcError) -> Self {
        let RpcError::RpcStatus(status) = error else {
            return Self::Broken {
                call,
                text: clean(&error.to_string()),
            };
        };
        let refusal = match failure::kind_of(status) {
            Some(FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND) => Refusal::CommandNotFound,
            Some(FailureKind::FAILURE_KIND_COMMAND_NOT_EXECUTABLE) => Refusal::CommandNotExecutable,
            None if status.code.enum_value() == Ok(Code::FAILED_PRECONDITION) => Refusal::State,
            _ => Refusal::Other,
        };
        Self::Refused {
            refusal,
            text: clean(&status.message),
        }
    }

    /// Whether the connection is of no use any more: broken, or the agent's answers cannot be believed.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

/// Words from the guest for a person's terminal: one line, no control characters, bounded.
pub(super) fn clean(words: &str) -> String {
    let printable = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    words
        .trim()
        .chars()
        .take(MAX_WORDS)
        .map(printable)
        .collect()
}
