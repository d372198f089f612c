//! Unmaking containers: with their owner's help while it gives any, without it otherwise.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{error::EngineError, list::Found};
use crate::pod::{Fate, ProcessMark, Removal, kill_and_wait, remove_dead};

/// What an owner may take to end its pod when it was told to: its own limits are shorter.
const OWNER_LIMIT: Duration = Duration::from_secs(60);

/// Removes a pod whose owner is no more. An owner that still lives is waited for, and killed when it takes too long.
///
/// # Errors
/// Something of it could not be removed.
pub fn remove(found: &Found) -> Result<(), EngineError> {
    let owner = found.record.owner;
    if !ended_within(owner, OWNER_LIMIT)? {
        kill_and_wait(owner)?;
    }
    match remove_dead(&found.dir, |record| fate(record.owner == owner)) {
        Ok(Removal::None) => Ok(()),
        Ok(Removal::Done(left)) if left.is_empty() => Ok(()),
        Ok(Removal::Done(left)) => Err(EngineError::Left(left.join(", "))),
        // Its owner was faster, or somebody else.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(EngineError::file(&found.dir, error)),
    }
}

fn fate(is_it: bool) -> Fate {
    // Another pod may have taken the name.
    if is_it { Fate::Goes } else { Fate::Stays }
}

/// Waits until the owner of a pod has ended; `false`: it takes too long.
///
/// # Errors
/// It cannot be watched.
pub fn await_owner(found: &Found) -> Result<bool, EngineError> {
    Ok(ended_within(found.record.owner, OWNER_LIMIT)?)
}

fn ended_within(process: ProcessMark, limit: Duration) -> io::Result<bool> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(true) };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    // The descriptor holds the process that has the pid now.
    if !process.is_alive() {
        return Ok(true);
    }
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut fds, Some(&left)) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
