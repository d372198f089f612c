//! Writing the log: bounded whatever the container writes, and never in its way.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{BEFORE, CURRENT, Instant, LogSource, entry::append};
use crate::engine::EngineError;

/// The log of one container.
#[derive(Clone, Debug)]
pub struct LogWriter {
    // Two streams end in one file.
    files: Arc<Mutex<Files>>,
}

#[derive(Debug)]
struct Files {
    current: File,
    path: PathBuf,
    before: PathBuf,
    size: u64,
    /// Of each of the two files.
    max_bytes: u64,
    failed: bool,
}

/// One stream's way into the log.
#[derive(Debug)]
pub struct Sink {
    files: Arc<Mutex<Files>>,
    source: LogSource,
}

impl LogWriter {
    /// An empty log in a pod's directory, which takes at most `max_bytes` there, or two lines.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(dir: &Path, max_bytes: u64) -> Result<Self, EngineError> {
        let path = dir.join(CURRENT);
        let current = File::create(&path).map_err(|error| EngineError::file(&path, error))?;
        let files = Files {
            current,
            path,
            before: dir.join(BEFORE),
            size: 0,
            max_bytes: max_bytes / 2,
            failed: false,
        };
        Ok(Self {
            files: Arc::new(Mutex::new(files)),
        })
    }

    /// The way in for one stream.
    #[must_use]
    pub fn sink(&self, source: LogSource) -> Sink {
        Sink {
            files: Arc::clone(&self.files),
            source,
        }
    }
}

impl Sink {
    /// Takes what the container wrote. A log that cannot be written loses it: the container must not notice.
    pub fn take(&self, bytes: &[u8]) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        append(&mut lines, Instant::now(), self.source, bytes);
        match (files.write(&lines), files.failed) {
            (Ok(()), _) => files.failed = false,
            (Err(error), false) => {
                files.failed = true;
                tracing::warn!("container log {}: {error}", files.path.display());
            }
            (Err(_), true) => {}
        }
    }
}

impl Files {
    /// As many whole lines as the file has room for, and the rest in the next one: short lines are many times as long
    /// here as they were.
    fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            let room =
                usize::try_from(self.max_bytes.saturating_sub(self.size)).unwrap_or(usize::MAX);
            let fits = lines.get(..room).unwrap_or(lines);
            let end = match fits.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => last + 1,
                None if self.size > 0 => {
                    self.turn()?;
                    continue;
                }
                // One line is longer than a file: it has one of its own.
                None => lines
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .map_or(lines.len(), |first| first + 1),
            };
            let (now, later) = lines.split_at(end);
            let written = self.current.write_all(now);
            // A part of a line that was written counts too.
            let count = u64::try_from(now.len()).unwrap_or(u64::MAX);
            self.size = self.size.saturating_add(count);
            written?;
            lines = later;
        }
        Ok(())
    }

    /// What was written becomes the file before, and a new one begins.
    fn turn(&mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.before)?;
        self.current = File::create_new(&self.path)?;
        self.size = 0;
        Ok(())
    }
}
