//! Who there is: read from the pods' directories, so that an owner that hangs or died hides nothing.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    error::EngineError,
    papers::{About, Phase, Status, read_about, read_status},
};
use crate::{
    pod::{ProcessMark, Record, read_record},
    text::one_line,
};

/// The most ids in an error.
const SHOWN_IDS: usize = 5;

/// Where a container is, as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its machine boots, or it is being made.
    Starting,
    /// It runs.
    Running,
    /// It is held.
    Paused,
    /// It ended.
    Exited,
    /// Its owner died: nobody serves it, and what is left of it waits to be removed.
    Dead,
}

impl State {
    /// Whether it has an owner that serves it.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Exited => "exited",
            Self::Dead => "dead",
        })
    }
}

/// A pod that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Name of the pod and its container.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Where it is.
    pub state: State,
    /// What it is; `None`: its owner has not said it yet.
    pub about: Option<About>,
    /// What became of it; `None`: its owner has not said it yet.
    pub status: Option<Status>,
    pub(super) record: Record,
}

impl Found {
    /// Its id; the name until the owner has said it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.about.as_ref().map_or(&self.name, |about| &about.id)
    }

    /// Pid of its owner, while that lives.
    #[must_use]
    pub fn owner_pid(&self) -> Option<u32> {
        living(Some(self.record.owner))
    }

    /// Pid of its VMM, while that lives.
    #[must_use]
    pub fn vmm_pid(&self) -> Option<u32> {
        living(self.record.vmm)
    }

    /// An error for a wish that its state has no place for.
    #[must_use]
    pub fn refuse(&self, wish: &str) -> EngineError {
        EngineError::State {
            name: self.name.clone(),
            state: self.state.to_string(),
            wish: wish.to_owned(),
        }
    }

    /// Looks again.
    ///
    /// # Errors
    /// It is gone, or what it says cannot be read.
    pub fn again(&self) -> Result<Self, EngineError> {
        look(&self.dir, self.name.clone())
    }
}

fn living(process: Option<ProcessMark>) -> Option<u32> {
    process.filter(|mark| mark.is_alive()).map(|mark| mark.pid)
}

/// Everyone who was found.
#[derive(Debug, Default)]
pub struct Listing {
    /// The pods, the newest first.
    pub pods: Vec<Found>,
    /// Directories that cannot be understood, and why.
    pub damaged: Vec<String>,
}

/// Looks at every pod below `run_dir`.
///
/// # Errors
/// The directory cannot be read; that there is none is no error.
pub fn list(run_dir: &Path) -> Result<Listing, EngineError> {
    let mut listing = Listing::default();
    let entries = match fs::read_dir(run_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
        Err(error) => return Err(EngineError::file(run_dir, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| EngineError::file(run_dir, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        // Names of pods begin with a letter or digit.
        if !is_dir || name.starts_with('.') {
            continue;
        }
        match look(&entry.path(), name) {
            Ok(found) => listing.pods.push(found),
            // It went meanwhile.
            Err(EngineError::NotFound(_)) => {}
            Err(error) => listing.damaged.push(one_line(&error)),
        }
    }
    let created = |found: &Found| found.about.as_ref().map_or(u64::MAX, |a| a.created_ns);
    listing
        .pods
        .sort_by(|a, b| (created(b), &a.name).cmp(&(created(a), &b.name)));
    Ok(listing)
}

/// The one that is meant: by its name, its id, or the beginning of its id.
///
/// # Errors
/// There is none, or more than one.
pub fn find(run_dir: &Path, wanted: &str) -> Result<Found, EngineError> {
    let listing = list(run_dir)?;
    if let Some(at) = listing.pods.iter().position(|found| found.name == wanted) {
        let named = listing.pods.into_iter().nth(at);
        return named.ok_or_else(|| none(wanted));
    }
    let begins = |found: &Found| !wanted.is_empty() && found.id().starts_with(wanted);
    let mut matching: Vec<Found> = listing.pods.into_iter().filter(begins).collect();
    match (matching.pop(), matching.len()) {
        (Some(found), 0) => Ok(found),
        (None, _) => Err(none(wanted)),
        (Some(last), _) => {
            let ids = matching.iter().chain([&last]).map(Found::id);
            let ids: Vec<&str> = ids.take(SHOWN_IDS).collect();
            Err(EngineError::Ambiguous {
                prefix: wanted.to_owned(),
                ids: ids.join(", "),
            })
        }
    }
}

fn none(wanted: &str) -> EngineError {
    EngineError::NotFound(wanted.to_owned())
}

fn look(dir: &Path, name: String) -> Result<Found, EngineError> {
    let record = read(dir, &name)?;
    let alive = record.owner.is_alive();
    // What an owner that is dead has written is its last word; what was read before may not be.
    let record = if alive { record } else { read(dir, &name)? };
    let status = read_status(dir)?;
    let about = read_about(dir)?;
    Ok(Found {
        state: state(alive, record.ended, status.as_ref()),
        name,
        dir: dir.to_owned(),
        about,
        status,
        record,
    })
}

fn read(dir: &Path, name: &str) -> Result<Record, EngineError> {
    read_record(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => none(name),
        _ => EngineError::file(dir, error),
    })
}

/// What can be said of a pod. Pure.
pub(super) fn state(owner_alive: bool, ended: bool, status: Option<&Status>) -> State {
    let phase = status.map_or(Phase::Starting, |status| status.phase);
    match (phase, owner_alive) {
        (Phase::Exited, true) => State::Exited,
        (Phase::Exited, false) if ended => State::Exited,
        (_, false) => State::Dead,
        (Phase::Starting, true) => State::Starting,
        (Phase::Running, true) => State::Running,
        (Phase::Paused, true) => State::Paused,
    }
}
