//! What can go wrong with a container. `service::errors` makes ttrpc statuses of it.

use std::io;

use thiserror::Error;

use crate::{
    guest::DiskError, process::LaunchError, resources::ResourceError, seccomp::ProfileError,
};

/// Why a call about a container failed.
#[derive(Debug, Error)]
pub(crate) enum ContainerError {
    /// No such container or process.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// The call does not fit the state.
    #[error("{what} is {state}")]
    State {
        /// Which process.
        what: String,
        /// What it is.
        state: &'static str,
    },
    /// A field of the request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A field of the specification asks for what the agent does not do.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// No such user or group in the image.
    #[error("{0}")]
    UnknownUser(String),
    /// A disk is missing.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A disk or overlay cannot be mounted.
    #[error("mount {what}")]
    Mount {
        /// Which.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The process was not made.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Anything else with the operating system.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The container cannot have its resources.
    #[error(transparent)]
    Resources(#[from] ResourceError),
    /// The guest's own file systems are not there.
    #[error("guest is not prepared: {0}")]
    Unprepared(String),
}

impl ContainerError {
    /// An operating system error with what was tried.
    pub(crate) fn io<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Io {
            what,
            source: error.into(),
        }
    }
}

impl From<ProfileError> for ContainerError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Unsupported { .. } => Self::Unsupported(error.to_string()),
            _ => Self::Invalid(error.to_string()),
        }
    }
}
