//! The jail: a process that guest-facing code runs in has nothing to lose but its descriptors.
//!
//! Called once, between the configuration and everything that a guest could touch, while the process has one thread:
//! namespaces, ids and capabilities belong to threads, and later threads inherit them. `room` holds the unsafe calls.

mod mounts;
mod privileges;
mod room;

use std::io;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid, umask};
use rustix::thread::UnshareFlags;
use thiserror::Error;

pub use room::close_inherited;

use crate::api::config::JailConfig;

/// A step of the jail that the host refused: the process must not go on.
#[derive(Debug, Error)]
#[error("jail: {step}: {source}")]
pub struct JailError {
    /// What was tried.
    pub step: &'static str,
    /// What the kernel answered.
    pub source: io::Error,
}

impl JailError {
    fn at(step: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self {
            step,
            source: errno.into(),
        }
    }
}

/// Confine the process for good. It must have one thread, and hold open what it will need.
///
/// # Errors
/// A step that failed; the process is partly confined and must end.
pub fn confine(jail: &JailConfig, descriptors: u64) -> Result<(), JailError> {
    own_session();
    // As root, whose keyrings are not counted against the few that a user may have.
    room::own_keyring().map_err(JailError::at("session keyring"))?;
    umask(Mode::RWXG | Mode::RWXO);
    let namespaces = UnshareFlags::NEWNS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    room::unshare(namespaces).map_err(JailError::at("new namespaces"))?;
    mounts::empty_root()?;
    limit(Resource::Core, 0).map_err(JailError::at("limit of core dumps"))?;
    limit(Resource::Nofile, descriptors).map_err(JailError::at("limit of descriptors"))?;
    privileges::drop_all(jail)
}

/// Fails only in a process that leads its group already, as one does that the launcher gave a group of its own.
/// No terminal's signals reach either.
fn own_session() {
    let _ = setsid();
}

/// Both the limit and what it could be raised to.
fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let hard = getrlimit(resource).maximum;
    let value = Some(hard.map_or(value, |hard| hard.min(value)));
    let limit = Rlimit {
        current: value,
        maximum: value,
    };
    setrlimit(resource, limit)
}
