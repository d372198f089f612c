//! Reading the log, and following it while it grows.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify,
    io::{Errno, read},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{BEFORE, CURRENT, Entry, entry::MAX_LINE_BYTES};
use crate::engine::{EngineError, Found};

/// The log of one container, read from its beginning.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    /// Files to be read, the next one last.
    files: Vec<BufReader<File>>,
    /// The file that was opened last: device and inode.
    last: Option<(u64, u64)>,
    line: Vec<u8>,
}

impl LogReader {
    /// Opens the log in a pod's directory; one without a log reads as empty.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, EngineError> {
        let mut reader = Self {
            dir: dir.to_owned(),
            files: Vec::new(),
            last: None,
            line: Vec::new(),
        };
        reader.open_next()?;
        let before = reader.open_file(BEFORE)?;
        // The log turned between the two looks: what was the current file is the one before.
        let turned = before.as_ref().map(identity).transpose();
        let turned = turned.map_err(|error| EngineError::file(dir, error))?;
        match before {
            Some(before) if turned != reader.last => reader.files.push(BufReader::new(before)),
            _ => {}
        }
        Ok(reader)
    }

    /// The next entry; `None`: there is no more for now. Lines that are none are passed over.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, EngineError> {
        loop {
            let Some(file) = self.files.last_mut() else {
                if self.open_next()? {
                    continue;
                }
                return Ok(None);
            };
            let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
            let limit = u64::try_from(room).unwrap_or(0);
            let count = file.take(limit).read_until(b'\n', &mut self.line);
            let count = count.map_err(|error| EngineError::file(&self.dir, error))?;
            if self.line.last() == Some(&b'\n') || self.line.len() >= MAX_LINE_BYTES {
                let entry = Entry::parse(&self.line);
                self.line.clear();
                if entry.is_some() {
                    return Ok(entry);
                }
            } else if count == 0 && self.files.len() > 1 {
                // Nobody writes to it any more: half a line stays half a line.
                self.files.pop();
                self.line.clear();
            } else if count == 0 && !self.open_next()? {
                return Ok(None);
            }
            // Else a newer file has begun meanwhile: what came into this one before is read first.
        }
    }

    /// Puts a newer file, if there is one, below those that are being read.
    fn open_next(&mut self) -> Result<bool, EngineError> {
        let Some(file) = self.open_file(CURRENT)? else {
            return Ok(false);
        };
        let identity = identity(&file).map_err(|error| EngineError::file(&self.dir, error))?;
        if self.last == Some(identity) {
            return Ok(false);
        }
        self.last = Some(identity);
        self.files.insert(0, BufReader::new(file));
        Ok(true)
    }

    fn open_file(&self, name: &str) -> Result<Option<File>, EngineError> {
        let path = self.dir.join(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(EngineError::file(path, error)),
        }
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let meta = file.metadata()?;
    Ok((meta.dev(), meta.ino()))
}

/// Waits for more of a log, or for the end of who writes it.
#[derive(Debug)]
pub struct LogWatch {
    news: OwnedFd,
    owner: Option<OwnedFd>,
}

impl LogWatch {
    /// Watches a container's log from now on.
    ///
    /// # Errors
    /// The host has no watch left.
    pub fn new(found: &Found) -> Result<Self, EngineError> {
        let error = |error: Errno| EngineError::file(&found.dir, error.into());
        let news = inotify::init(inotify::CreateFlags::CLOEXEC).map_err(error)?;
        let events = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        inotify::add_watch(&news, &found.dir, events).map_err(error)?;
        let pid = found.owner_pid().and_then(|pid| i32::try_from(pid).ok());
        let owner = match pid.and_then(Pid::from_raw) {
            Some(pid) => match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(owner) => Some(owner),
                Err(Errno::SRCH) => None,
                Err(errno) => return Err(error(errno)),
            },
            None => None,
        };
        Ok(Self { news, owner })
    }

    /// Waits; `false`: there is nobody any more who could write.
    ///
    /// # Errors
    /// The watch cannot be read.
    pub fn wait(&self) -> Result<bool, EngineError> {
        let Some(owner) = &self.owner else {
            return Ok(false);
        };
        loop {
            let mut fds = [
                PollFd::new(owner, PollFlags::IN),
                PollFd::new(&self.news, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(io::Error::from(error).into()),
            }
            let [owner, news] = fds.map(|fd| !fd.revents().is_empty());
            if owner {
                return Ok(false);
            }
            if news {
                let mut events = [0; 4096];
                read(&self.news, &mut events).map_err(io::Error::from)?;
                return Ok(true);
            }
        }
    }
}
