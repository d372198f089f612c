//! What a person can ask for that cannot be.

use std::path::PathBuf;

use thiserror::Error;

/// Why there is no specification for what was asked.
#[derive(Debug, Error)]
pub enum SpecError {
    /// Neither the image nor the caller names a program.
    #[error("no command given, and the image has neither entrypoint nor cmd")]
    NoCommand,
    /// A user that the image does not know.
    #[error("unknown user {0:?}: not in the image's /etc/passwd")]
    UnknownUser(String),
    /// A group that the image does not know.
    #[error("unknown group {0:?}: not in the image's /etc/group")]
    UnknownGroup(String),
    /// A user or group number that does not exist.
    #[error("user or group id {0:?} is not between 0 and 2147483647")]
    IdRange(String),
    /// A working directory that is not absolute.
    #[error("working directory {0:?} is not absolute")]
    WorkingDir(PathBuf),
    /// A variable whose name cannot be one.
    #[error("environment variable {0:?} has no valid name or value")]
    Variable(String),
    /// A host name that the kernel or DNS refuses.
    #[error("host name {0:?} is not 1 to 63 letters, digits, dots, dashes and underscores")]
    Hostname(String),
    /// Too few or too many CPUs.
    #[error("{given} thousandths of a CPU are not between {min} and {max}")]
    Cpus {
        /// What was asked for.
        given: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// Too little or too much memory.
    #[error("memory limit of {given} bytes is not between {min} and {max}")]
    Memory {
        /// What was asked for.
        given: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// An option that a bundle's own specification decides.
    #[error("{0} cannot be given with an OCI bundle: its config.json decides")]
    BundleOption(&'static str),
    /// An argument, a volume or a profile that is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The specification cannot be expressed.
    #[error("container specification")]
    Json(#[from] serde_json::Error),
}
