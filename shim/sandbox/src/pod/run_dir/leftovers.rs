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
    io::retry_on_intr,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{
    dir::{remove_all, remove_resources},
    record::{Keep, ProcessMark, Record, file_error, maker_of, read_record, write_record},
};
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

/// How much of a dead pod a sweep takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Its machine and files; what was to be kept of it stays to be looked at.
    Resources,
    /// Everything, but for pods that ended in order and are kept.
    Everything,
}

/// Removes every pod below `run_dir` whose owner is dead. Sweeps may run side by side.
///
/// # Errors
/// The directory cannot be read; that there is none is no error.
pub fn sweep(run_dir: &Path, depth: Depth) -> Result<Sweep, PodError> {
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
            sweep_one(&entry.path(), name, depth, &mut sweep);
        }
    }
    Ok(sweep)
}

fn sweep_one(dir: &Path, name: String, depth: Depth, sweep: &mut Sweep) {
    if let Some(maker) = maker_of(&name) {
        if !maker.is_alive()
            && let Err(error) = fs::remove_dir_all(dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            sweep.left.push(format!("{}: {error}", dir.display()));
        }
        return;
    }
    match remove_dead(dir, |record| wanted(record, depth)) {
        Ok(Removal::None) => {}
        Ok(Removal::Done(left)) => {
            if left.is_empty() {
                sweep.removed.push(name);
            }
            sweep.left.extend(left);
        }
        // Its owner was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => sweep.left.push(format!("{}: {error}", dir.display())),
    }
}

/// What a sweep does with a pod whose owner is dead.
fn wanted(record: &Record, depth: Depth) -> Fate {
    match (record.keep, depth) {
        (Keep::Papers, _) if record.ended => Fate::Stays,
        (Keep::Papers, Depth::Resources) if record.vmm.is_none() && record.files.is_empty() => {
            Fate::Stays
        }
        (Keep::Papers, Depth::Resources) => Fate::KeepsPapers,
        _ => Fate::Goes,
    }
}

/// What becomes of a dead pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is left as it is.
    Stays,
    /// Machine and files go.
    KeepsPapers,
    /// Everything goes.
    Goes,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// The owner lives, or the pod was to stay.
    None,
    /// It was removed, but for this.
    Done(Vec<String>),
}

/// Removes a pod whose owner is dead.
///
/// The directory is locked meanwhile and looked at again: somebody else may have removed it and a new pod taken its name.
pub(crate) fn remove_dead(dir: &Path, fate: impl FnOnce(&Record) -> Fate) -> io::Result<Removal> {
    if read_record(dir)?.owner.is_alive() {
        return Ok(Removal::None);
    }
    let locked = File::open(dir)?;
    retry_on_intr(|| flock(&locked, FlockOperation::LockExclusive))?;
    let (ours, theirs) = (locked.metadata()?, fs::symlink_metadata(dir)?);
    if (ours.dev(), ours.ino()) != (theirs.dev(), theirs.ino()) {
        return Ok(Removal::None);
    }
    let mut record = read_record(dir)?;
    if record.owner.is_alive() {
        return Ok(Removal::None);
    }
    let fate = fate(&record);
    if fate == Fate::Stays {
        return Ok(Removal::None);
    }
    if let Some(vmm) = record.vmm
        && let Err(error) = kill_and_wait(vmm)
    {
        let left = format!("VMM process {}: {error}", vmm.pid);
        return Ok(Removal::Done(vec![left]));
    }
    if fate == Fate::Goes {
        return Ok(Removal::Done(remove_all(dir, &record)));
    }
    let left = remove_resources(dir, &mut record);
    write_record(dir, &record)?;
    Ok(Removal::Done(left))
}

/// Kills a process that is not our child, and returns when it is gone.
pub(crate) fn kill_and_wait(process: ProcessMark) -> io::Result<()> {
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
    match retry_on_intr(|| poll(&mut ended, Some(&KILL_LIMIT)))? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}
