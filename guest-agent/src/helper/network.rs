//! The container's network namespace: libcontainer would make one, but leave its loopback down.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use nix::sched::{CloneFlags, unshare};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use thiserror::Error;

use crate::network::loopback_up;

/// Why there is no network namespace.
#[derive(Debug, Error)]
pub(super) enum NetworkError {
    /// It was not made, or is not to be joined.
    #[error("make or join network namespace")]
    Namespace(#[source] io::Error),
    /// Its loopback stays down.
    #[error("bring loopback up")]
    Loopback(#[source] io::Error),
    /// A kernel parameter was not taken.
    #[error("set sysctl {0}")]
    Sysctl(String, #[source] io::Error),
}

/// Moves this process into the pod's network namespace, or into one of its own. What it starts from now on is in there
/// too.
pub(super) fn enter(
    pods: Option<&OwnedFd>,
    sysctls: &[(String, String)],
) -> Result<(), NetworkError> {
    match pods {
        Some(pods) => move_into_link_name_space(pods.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|errno| NetworkError::Namespace(errno.into()))?,
        None => {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| NetworkError::Namespace(errno.into()))?;
            loopback_up().map_err(NetworkError::Loopback)?;
        }
    }
    for (name, value) in sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(path, value).map_err(|error| NetworkError::Sysctl(name.clone(), error))?;
    }
    Ok(())
}
