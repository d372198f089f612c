//! The cgroup of one container, below Husk's own part of the tree.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use tokio::io::Interest;

use super::error::ContainerError;
use crate::readiness::watch;

/// Where the tree is mounted.
const TREE: &str = "/sys/fs/cgroup";

/// Below it, Husk's part.
const HUSK: &str = "/husk";

/// One container's cgroup.
#[derive(Clone, Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    pub(super) fn of(name: &str) -> Self {
        Self {
            path: Path::new(HUSK).join(name),
        }
    }

    /// As the specification names it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is mounted.
    pub(super) fn directory(&self) -> PathBuf {
        let below = self.path.strip_prefix("/").unwrap_or(&self.path);
        Path::new(TREE).join(below)
    }

    /// Kills everything in it. Without effect when it is gone.
    pub(super) fn kill(&self) -> Result<(), ContainerError> {
        match fs::write(self.directory().join("cgroup.kill"), "1") {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(ContainerError::io(format!(
                "kill cgroup {}",
                self.path.display()
            ))(error)),
            _ => Ok(()),
        }
    }

    /// Every process in it and in the cgroups that the container has made below.
    pub(super) fn processes(&self) -> Result<Vec<u32>, ContainerError> {
        let mut pids = Vec::new();
        collect(&self.directory(), &mut pids).map_err(ContainerError::io(format!(
            "list cgroup {}",
            self.path.display()
        )))?;
        pids.sort_unstable();
        Ok(pids)
    }

    /// Whether a process is in it or below; a process that has ended counts until it is reaped.
    pub(super) fn holds(&self, pid: u32) -> bool {
        fs::read_to_string(format!("/proc/{pid}/cgroup"))
            .is_ok_and(|lines| names_part_of(&lines, &self.path))
    }

    /// Whether the kernel has killed one of its processes for memory.
    pub(super) fn oom_killed(&self) -> bool {
        fs::read_to_string(self.directory().join("memory.events")).is_ok_and(|events| {
            events
                .lines()
                .filter_map(|line| line.strip_prefix("oom_kill "))
                .any(|count| count.trim() != "0")
        })
    }

    /// Waits until no process is left in it or below. The kernel says so in a file that can be waited for.
    pub(super) async fn emptied(&self) -> Result<(), ContainerError> {
        let what = || format!("wait for cgroup {}", self.path.display());
        let events = match File::open(self.directory().join("cgroup.events")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(ContainerError::io(what()))?,
        };
        wait_until_empty(events)
            .await
            .map_err(ContainerError::io(what()))
    }

    /// Removes it with everything below; its processes have ended. Repeating it is no error.
    pub(super) fn remove(&self) -> Result<(), ContainerError> {
        remove_tree(&self.directory()).map_err(ContainerError::io(format!(
            "remove cgroup {}",
            self.path.display()
        )))
    }
}

/// Whether the unified hierarchy's line of /proc/PID/cgroup names the cgroup or one below it.
fn names_part_of(lines: &str, cgroup: &Path) -> bool {
    lines
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .is_some_and(|path| Path::new(path).starts_with(cgroup))
}

async fn wait_until_empty(events: File) -> io::Result<()> {
    let events = watch(events, Interest::PRIORITY)?;
    loop {
        let mut file = events.get_ref();
        let mut text = String::new();
        file.seek(SeekFrom::Start(0))?;
        match file.read_to_string(&mut text) {
            // Removed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            read => read?,
        };
        if text.lines().any(|line| line == "populated 0") {
            return Ok(());
        }
        events.ready(Interest::PRIORITY).await?.clear_ready();
    }
}

fn children(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn collect(directory: &Path, pids: &mut Vec<u32>) -> io::Result<()> {
    match fs::read_to_string(directory.join("cgroup.procs")) {
        Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok())),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    children(directory)?
        .iter()
        .try_for_each(|child| collect(child, pids))
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    children(directory)?
        .iter()
        .try_for_each(|child| remove_tree(child))?;
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
