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
    /// An empty log in a pod's directory, which takes at most `max_bytes` there and somewhat more for one write.
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
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(count) > self.max_bytes {
            self.turn()?;
        }
        let written = self.current.write_all(lines);
        // A part of a line that was written counts too.
        self.size = self.size.saturating_add(count);
        written
    }

    /// What was written becomes the file before, and a new one begins.
    fn turn(&mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.before)?;
        self.current = File::create_new(&self.path)?;
        self.size = 0;
        Ok(())
    }
}
