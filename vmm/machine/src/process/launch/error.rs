//! Why a launch was refused.

use std::io;

use thiserror::Error;

use crate::api::config::CONFIG_VERSION;
use crate::process::frames::FrameError;

/// A configuration that is refused; nothing was made of it.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// Standard input is not the launcher's socket.
    #[error("standard input is not a UNIX stream socket: {0}")]
    NoSocket(io::Error),
    /// The launcher closed without a word.
    #[error("the launcher closed the socket before it sent a configuration")]
    Closed,
    /// The message cannot be read.
    #[error("configuration: {0}")]
    Frame(#[from] FrameError),
    /// Written for another VMM.
    #[error("configuration: version {0} is not {CONFIG_VERSION}")]
    Version(u64),
    /// Not the JSON that was expected.
    #[error("configuration: {path}: {source}")]
    Json {
        /// Where.
        path: String,
        /// What.
        source: serde_json::Error,
    },
    /// A value out of range.
    #[error("configuration: {0}")]
    Field(#[from] FieldError),
    /// An index that leads to no descriptor.
    #[error("configuration: {field}: there is no descriptor {index}, {count} came")]
    NoDescriptor {
        /// Whose.
        field: String,
        /// The index.
        index: u32,
        /// How many came.
        count: usize,
    },
    /// Two fields claim one descriptor.
    #[error("configuration: {field}: descriptor {index} belongs to another field")]
    SharedDescriptor {
        /// The second.
        field: String,
        /// The index.
        index: u32,
    },
    /// A descriptor that no field names.
    #[error("configuration: descriptor {0} belongs to no field")]
    UnusedDescriptor(usize),
    /// A descriptor of the wrong kind.
    #[error("configuration: {field}: descriptor is no {wanted}")]
    WrongDescriptor {
        /// Whose.
        field: String,
        /// What it has to be.
        wanted: &'static str,
    },
}

/// One value that cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: {value} {rule}")]
pub struct FieldError {
    /// Path of the field.
    pub field: String,
    /// Its value, shortened.
    pub value: String,
    /// What is wrong with it.
    pub rule: &'static str,
}
