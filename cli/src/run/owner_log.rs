//! What an owner that has no terminal says of itself: in a file of its pod's directory, of which the newest part is kept.

use std::{
    fs::{self, File},
    io::{self, Write, stderr},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result};
use rustix::{
    fs::{fstat, ftruncate},
    stdio::{dup2_stderr, dup2_stdout},
};

const CURRENT: &str = "owner.log";
const BEFORE: &str = "owner.log.1";

/// Of each of the two files, and somewhat more for one message.
const MAX_BYTES: u64 = 256 << 10;

/// The log of this process, if it has one.
static LOG: OnceLock<OwnerLog> = OnceLock::new();

/// Names and bound of a log.
#[derive(Debug)]
struct OwnerLog {
    current: PathBuf,
    before: PathBuf,
    max_bytes: u64,
}

/// Standard output and error go into a log in this directory from now on.
pub(super) fn begin(dir: &Path) -> Result<()> {
    let log = OwnerLog::new(dir, MAX_BYTES);
    let file = log.create();
    let file = file.with_context(|| log.current.display().to_string())?;
    redirect(&file).context("standard output and error")?;
    // Once: a process owns one container.
    LOG.set(log).ok();
    Ok(())
}

fn redirect(file: &File) -> io::Result<()> {
    dup2_stdout(file)?;
    Ok(dup2_stderr(file)?)
}

impl OwnerLog {
    fn new(dir: &Path, max_bytes: u64) -> Self {
        Self {
            current: dir.join(CURRENT),
            before: dir.join(BEFORE),
            max_bytes,
        }
    }

    fn create(&self) -> io::Result<File> {
        let mut options = File::options();
        // Appended to: a file that was cut begins anew, without a hole.
        options.append(true).create_new(true).open(&self.current)
    }

    /// If `file` is full it becomes the one before, and the new one is given back. One that cannot be moved, because the
    /// directory is gone, is emptied.
    fn turn(&self, file: BorrowedFd<'_>) -> io::Result<Option<File>> {
        let size = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
        if size < self.max_bytes {
            return Ok(None);
        }
        let moved = fs::rename(&self.current, &self.before);
        match moved.and_then(|()| self.create()) {
            Ok(new) => Ok(Some(new)),
            Err(_) => Ok(ftruncate(file, 0).map(|()| None)?),
        }
    }
}

/// Standard error for messages of every kind.
#[derive(Debug)]
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stderr = stderr().lock();
        if let Some(log) = LOG.get()
            && let Ok(Some(new)) = log.turn(stderr.as_fd())
        {
            redirect(&new).ok();
        }
        stderr.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        stderr().flush()
    }
}

#[cfg(test)]
mod tests;
