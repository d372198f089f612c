//! Pods whose owner died without clearing up: their machines, files and directories are removed.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::record::{ProcessMark, Record, file_error, maker_of, read_record, remove_resources};
use crate::pod::PodError;

/// How long a machine may take to be gone after SIGKILL; one that the kernel holds longer is reported and left.
const KILL_LIMIT: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Names of the pods that were removed.
    pub removed: Vec<String>,
    /// What could not be removed, and why.
    pub left: Vec<String>,
}

/// Removes every pod below `run_dir` whose owner is dead. Sweeps may run side by side.
///
/// # Errors
/// The directory cannot be read; that there is none is no error.
pub fn sweep(run_dir: &Path) -> Result<Sweep, PodError> {
    let mut sweep = Sweep::default();
    let entries = match fs::read_dir(run_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sweep),
        Err(error) => return Err(file_error(run_dir, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|source| file_error(run_dir, source))?;
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir {
            let name = entry.file_name().to_string_lossy().into_owned();
            sweep_one(&entry.path(), name, &mut sweep);
        }
    }
    Ok(sweep)
}

fn sweep_one(dir: &Path, name: String, sweep: &mut Sweep) {
    if let Some(maker) = maker_of(&name) {
        if !maker.is_alive()
            && let Err(error) = fs::remove_dir_all(dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            sweep.left.push(format!("{}: {error}", dir.display()));
        }
        return;
    }
    match read_record(dir) {
        Ok(record) if record.owner.is_alive() => {}
        Ok(_) => match claim(dir) {
            Ok(Some((_lock, record))) => {
                let left = remove_pod(dir, &record);
                if left.is_empty() {
                    sweep.removed.push(name);
                }
                sweep.left.extend(left);
            }
            // Another sweep was faster.
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => sweep.left.push(format!("{}: {error}", dir.display())),
        },
        // Its owner was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => sweep.left.push(format!("{}: {error}", dir.display())),
    }
}

/// The right to remove a dead pod, and its record as it is then: until the lock is held, another sweep may remove it
/// and a new pod take its name.
fn claim(dir: &Path) -> io::Result<Option<(File, Record)>> {
    let held = File::open(dir)?;
    rustix::io::retry_on_intr(|| flock(&held, FlockOperation::LockExclusive))?;
    let (locked, there) = (held.metadata()?, fs::symlink_metadata(dir)?);
    if (locked.dev(), locked.ino()) != (there.dev(), there.ino()) {
        return Ok(None);
    }
    let record = read_record(dir)?;
    Ok((!record.owner.is_alive()).then_some((held, record)))
}

fn remove_pod(dir: &Path, record: &Record) -> Vec<String> {
    if let Some(vmm) = record.vmm
        && let Err(error) = kill_and_wait(vmm)
    {
        return vec![format!("VMM process {}: {error}", vmm.pid)];
    }
    remove_resources(dir, record)
}

/// Kills a process that is not our child, and returns when it is gone.
fn kill_and_wait(process: ProcessMark) -> io::Result<()> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(()) };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // The descriptor holds the process that has the pid now; only if that is the recorded one is it killed.
    if !process.is_alive() {
        return Ok(());
    }
    pidfd_send_signal(&pidfd, Signal::KILL)?;
    let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
    match rustix::io::retry_on_intr(|| poll(&mut ended, Some(&KILL_LIMIT)))? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}
