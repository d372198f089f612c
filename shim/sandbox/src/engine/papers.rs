//! What lies in a pod's directory for everyone to read: what its container is, and where it is.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, open, openat, renameat};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::error::EngineError;
use crate::pod::Mark;

const ABOUT: &str = "container.json";
const STATUS: &str = "status.json";

/// No specification is longer.
const MAX_BYTES: u64 = 8 << 20;

const VERSION: u32 = 1;

/// What a container is: written once, before it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Version of this document.
    pub version: u32,
    /// 12 hexadecimal digits.
    pub id: String,
    /// What it was made from, as it was given.
    pub image: String,
    /// Nanoseconds since the epoch.
    pub created_ns: u64,
    /// Whether it outlives the command that made it.
    pub detached: bool,
    /// Whether nothing stays of it.
    pub auto_remove: bool,
    /// Whether its first process has a terminal.
    pub terminal: bool,
    /// The signal that asks it to end.
    pub stop_signal: u32,
    /// How long it may take for that.
    pub stop_timeout_s: u64,
    /// Its OCI runtime specification.
    pub spec: Value,
}

impl About {
    /// The version that is written.
    pub const VERSION: u32 = VERSION;

    /// The words of its first process.
    #[must_use]
    pub fn command(&self) -> Vec<&str> {
        let args = self.spec.pointer("/process/args").and_then(Value::as_array);
        let words = args.map(Vec::as_slice).unwrap_or_default();
        words.iter().filter_map(Value::as_str).collect()
    }
}

/// Where a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its machine boots, or it is being made.
    Starting,
    /// It runs.
    Running,
    /// It is held.
    Paused,
    /// It has ended.
    Exited,
}

/// What became of a container: written at each turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Version of this document.
    pub version: u32,
    /// Where it is.
    pub phase: Phase,
    /// Nanoseconds since the epoch.
    pub started_ns: Option<u64>,
    /// Nanoseconds since the epoch.
    pub finished_ns: Option<u64>,
    /// 0-255, or 128 + the signal that ended it.
    pub exit_code: Option<u8>,
    /// Whether it ran out of memory.
    pub oom_killed: bool,
    /// Why its machine ended under it.
    pub error: Option<String>,
    /// What happened when, once it has ended.
    pub timeline: Vec<Mark>,
}

impl Status {
    /// Of a container that is being made.
    #[must_use]
    pub fn starting() -> Self {
        Self {
            version: VERSION,
            phase: Phase::Starting,
            started_ns: None,
            finished_ns: None,
            exit_code: None,
            oom_killed: false,
            error: None,
            timeline: Vec::new(),
        }
    }
}

/// The papers of one pod, in the hands of its owner.
#[derive(Debug)]
pub struct Papers {
    // Held open: a pod that is removed may leave its name to another one.
    dir: OwnedFd,
    path: PathBuf,
    status: Status,
}

impl Papers {
    /// Writes the first ones into a pod's directory.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn begin(dir: &Path, about: &About) -> Result<Self, EngineError> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = open(dir, flags, Mode::empty());
        let papers = Self {
            dir: opened.map_err(|error| EngineError::file(dir, error.into()))?,
            path: dir.to_owned(),
            status: Status::starting(),
        };
        papers.put(ABOUT, about)?;
        papers.put(STATUS, &papers.status)?;
        Ok(papers)
    }

    /// Changes where the container is. What has ended stays so.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn change(&mut self, change: impl FnOnce(&mut Status)) -> Result<(), EngineError> {
        let ended = self.status.phase == Phase::Exited;
        change(&mut self.status);
        if ended {
            self.status.phase = Phase::Exited;
        }
        self.put(STATUS, &self.status)
    }

    /// Where it is.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// A reader sees the old paper or the new one, never half of one.
    fn put<T: Serialize>(&self, name: &str, value: &T) -> Result<(), EngineError> {
        let next = format!("{name}.next");
        let text = serde_json::to_vec(value)?;
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC;
        let made = openat(&self.dir, &next, flags, Mode::RUSR | Mode::WUSR);
        made.map_err(io::Error::from)
            .and_then(|file| File::from(file).write_all(&text))
            .and_then(|()| Ok(renameat(&self.dir, &next, &self.dir, name)?))
            .map_err(|error| EngineError::file(self.path.join(name), error))
    }
}

/// What a pod's directory says about its container; `None`: nothing yet.
pub(super) fn read_about(dir: &Path) -> Result<Option<About>, EngineError> {
    read(&dir.join(ABOUT))
}

/// Where it says that it is; `None`: nothing yet.
pub(super) fn read_status(dir: &Path) -> Result<Option<Status>, EngineError> {
    read(&dir.join(STATUS))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, EngineError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(EngineError::file(path, error)),
    };
    let mut text = Vec::new();
    let read = file.take(MAX_BYTES).read_to_end(&mut text);
    read.map_err(|error| EngineError::file(path, error))?;
    let parsed = serde_json::from_slice(&text);
    parsed
        .map(Some)
        .map_err(|error| EngineError::file(path, error.into()))
}
