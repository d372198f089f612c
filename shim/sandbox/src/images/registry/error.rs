//! What can go wrong between this host and a registry.

use thiserror::Error;

/// Why a registry gave nothing. The text says which host; what came from there is shortened and has no control characters.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// No connection, or it broke.
    #[error("cannot reach registry {host}: {reason}")]
    Unreachable {
        /// Which.
        host: String,
        /// The deepest cause.
        reason: String,
    },
    /// It wants to know who asks, and either nobody told or it was not enough.
    #[error("registry {host} refuses access: {reason}")]
    Unauthorized {
        /// Which.
        host: String,
        /// What it said, and what to do.
        reason: String,
    },
    /// It has no such thing.
    #[error("registry {host} has no {what}")]
    Missing {
        /// Which.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// It wants to be left alone.
    #[error("registry {host} answers 429 too many requests (log in, or try again later)")]
    TooMany {
        /// Which.
        host: String,
    },
    /// Another status.
    #[error("registry {host} answers {status} to {what}{said}")]
    Status {
        /// Which.
        host: String,
        /// The status.
        status: u16,
        /// What was asked for.
        what: String,
        /// What it said, after a colon; empty when nothing.
        said: String,
    },
    /// It says nothing, or next to nothing.
    #[error("registry {host} is silent: {what} stands still for {seconds} s")]
    Silent {
        /// Which.
        host: String,
        /// What was asked for.
        what: String,
        /// The limit.
        seconds: u64,
    },
    /// What it says is against the specification.
    #[error("registry {host} misbehaves: {reason}")]
    Protocol {
        /// Which.
        host: String,
        /// How.
        reason: String,
    },
    /// The bytes are not those of the digest.
    #[error("registry {host} gave {what} with digest {found}")]
    Digest {
        /// Which.
        host: String,
        /// What was asked for.
        what: String,
        /// The digest of what came.
        found: String,
    },
    /// The user's credentials cannot be read.
    #[error("credentials: {what} {reason}")]
    Credentials {
        /// The file.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Certificates cannot be read, or there are none.
    #[error("certificates: {0}")]
    Certificates(String),
    /// The disk.
    #[error("cannot {action} {path}: {source}")]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// It was called off.
    #[error("cancelled")]
    Cancelled,
}
