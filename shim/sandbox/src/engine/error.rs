//! What goes wrong with containers that others own.

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::pod::PodError;

/// A wish that does not come true.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Nothing has this name or id.
    #[error("no such container: {0:?}")]
    NotFound(String),
    /// More than one has an id that begins so.
    #[error("{prefix:?} is the beginning of more than one id: {ids}")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// Some of the ids.
        ids: String,
    },
    /// It is not in a state for that.
    #[error("container {name} is {state}: cannot {wish}")]
    State {
        /// The container.
        name: String,
        /// Where it is.
        state: String,
        /// What was asked.
        wish: String,
    },
    /// The owner says no.
    #[error("{text}")]
    Refused {
        /// The exit code for it.
        code: u8,
        /// Its words.
        text: String,
    },
    /// A file of the container.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The connection to the owner.
    #[error("connection to the container's owner")]
    Connection(#[from] io::Error),
    /// A message that is none.
    #[error("malformed message")]
    Malformed(#[from] serde_json::Error),
    /// A message that is too long.
    #[error("message of {0} bytes is too long")]
    TooLong(usize),
    /// The other side speaks otherwise.
    #[error("protocol version {spoken}, known is {known}")]
    Version {
        /// What it speaks.
        spoken: u32,
        /// What is spoken here.
        known: u32,
    },
    /// An answer that does not belong to the question.
    #[error("the container's owner answered {0} to something else")]
    Unexpected(&'static str),
    /// Something could not be removed.
    #[error("not removed: {0}")]
    Left(String),
    /// The pod.
    #[error(transparent)]
    Pod(#[from] PodError),
}

/// Kinds of no that exit codes tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refused {
    CommandNotFound,
    CommandNotExecutable,
    /// The request is not understood.
    Malformed,
    Other,
}

/// Exit code of a wish that cannot be: unknown container, wrong state.
const NOT_SO: u8 = 1;
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

impl EngineError {
    /// The exit code of a command that ends with this; `None`: Husk itself failed.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match self {
            Self::NotFound(_) | Self::Ambiguous { .. } | Self::State { .. } => Some(NOT_SO),
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(super) fn refused(refusal: Refused, text: String) -> Self {
        let code = match refusal {
            Refused::CommandNotFound => NOT_FOUND,
            Refused::CommandNotExecutable => NOT_EXECUTABLE,
            Refused::Malformed | Refused::Other => NOT_SO,
        };
        Self::Refused { code, text }
    }

    pub(super) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File {
            path: path.into(),
            source,
        }
    }
}
