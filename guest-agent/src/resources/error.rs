//! Why a container cannot have the resources that its specification gives it.

use std::io;

use thiserror::Error;

/// One field, and what is wrong with it.
#[derive(Debug, Error)]
pub(crate) enum ResourceError {
    /// A value makes no sense.
    #[error("linux.resources.{0}")]
    Invalid(String),
    /// The guest's kernel has no such thing.
    #[error("linux.resources.{0}")]
    Unsupported(String),
    /// The kernel refused a value.
    #[error("linux.resources.{field}: write {value:?} to {file}")]
    Refused {
        /// Field of the specification.
        field: String,
        /// File of the cgroup.
        file: String,
        /// What was written.
        value: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The cgroup or its device program was not made.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl ResourceError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
