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
            .is_ok_and(|lines| own_path(&lines).is_some_and(|path| path.starts_with(&self.path)))
    }

    /// The part of it that a process has moved to.
    pub(super) fn of_process(&self, pid: u32) -> Self {
        let lines = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let path = own_path(&lines).filter(|path| path.starts_with(&self.path));
        Self {
            path: path.map_or_else(|| self.path.clone(), Path::to_owned),
        }
    }

    /// How many of its processes the kernel has killed for memory.
    pub(super) fn oom_kills(&self) -> u64 {
        let events = fs::read_to_string(self.directory().join("memory.events"));
        events.ok().and_then(|text| oom_kills(&text)).unwrap_or(0)
    }

    /// Waits until no process is left in it or below. The kernel says so in a file that can be waited for.
    pub(super) async fn emptied(&self) -> Result<(), ContainerError> {
        self.event("populated 0").await
    }

    /// Stops every process of it where it is; answers when all stand still.
    pub(super) async fn freeze(&self) -> Result<(), ContainerError> {
        self.write("cgroup.freeze", "1")?;
        self.event("frozen 1").await
    }

    /// Lets them go on.
    pub(super) async fn thaw(&self) -> Result<(), ContainerError> {
        self.write("cgroup.freeze", "0")?;
        self.event("frozen 0").await
    }

    fn write(&self, file: &str, value: &str) -> Result<(), ContainerError> {
        fs::write(self.directory().join(file), value).map_err(ContainerError::io(format!(
            "write {value} to {file} of cgroup {}",
            self.path.display()
        )))
    }

    /// Waits for a line of `cgroup.events`, or for the end of the cgroup.
    async fn event(&self, line: &str) -> Result<(), ContainerError> {
        let found = |text: &str| text.lines().any(|found| found == line);
        let waiting = self.wait_for("cgroup.events", |text| found(text).then_some(()));
        waiting.await.map(|_| ())
    }

    /// Waits until the kernel has killed more than `seen` of its processes for memory; none: it was removed.
    pub(super) async fn oom_kills_beyond(&self, seen: u64) -> Result<Option<u64>, ContainerError> {
        let directory = self.directory();
        if directory.exists() && !directory.join("memory.events").exists() {
            let what = "memory of a container: the guest's kernel does not count it";
            return Err(ContainerError::Unsupported(what.to_owned()));
        }
        let more = |text: &str| oom_kills(text).filter(|kills| *kills > seen);
        self.wait_for("memory.events", more).await
    }

    /// Waits until a file of events says what is waited for; none: the cgroup was removed. The kernel wakes who waits
    /// for such a file when it changes.
    async fn wait_for<T>(
        &self,
        file: &str,
        found: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ContainerError> {
        let what = || format!("wait for {file} of cgroup {}", self.path.display());
        let events = match File::open(self.directory().join(file)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(ContainerError::io(what()))?,
        };
        wait_for(events, found)
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

/// The unified hierarchy's line of /proc/PID/cgroup.
fn own_path(lines: &str) -> Option<&Path> {
    lines
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .map(Path::new)
}

async fn wait_for<T>(events: File, found: impl Fn(&str) -> Option<T>) -> io::Result<Option<T>> {
    let events = watch(events, Interest::PRIORITY)?;
    loop {
        let mut file = events.get_ref();
        let mut text = String::new();
        file.seek(SeekFrom::Start(0))?;
        match file.read_to_string(&mut text) {
            // Removed meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(None),
            read => read?,
        };
        if let Some(found) = found(&text) {
            return Ok(Some(found));
        }
        events.ready(Interest::PRIORITY).await?.clear_ready();
    }
}

/// The count in `memory.events`.
fn oom_kills(events: &str) -> Option<u64> {
    let count = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
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
