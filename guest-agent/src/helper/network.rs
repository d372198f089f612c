//! The container's network namespace: libcontainer would make one, but leave its loopback down.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use thiserror::Error;

use crate::network::loopback_up;

/// Why there is no network namespace.
#[derive(Debug, Error)]
pub(super) enum NetworkError {
    /// It was not made.
    #[error("make network namespace")]
    Namespace(#[source] io::Error),
    /// Its loopback stays down.
    #[error("bring loopback up")]
    Loopback(#[source] io::Error),
    /// A kernel parameter was not taken.
    #[error("set sysctl {0}")]
    Sysctl(String, #[source] io::Error),
}

/// Moves this process into a network namespace of its own. What it starts from now on is in there too.
pub(super) fn make(sysctls: &[(String, String)]) -> Result<(), NetworkError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| NetworkError::Namespace(errno.into()))?;
    loopback_up().map_err(NetworkError::Loopback)?;
    for (name, value) in sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(path, value).map_err(|error| NetworkError::Sysctl(name.clone(), error))?;
    }
    Ok(())
}
