//! The kernel's log as a source of events.
//!
//! A virtio disk whose capacity changes from or to nothing causes no uevent; but each change is logged, and the log
//! can be waited for.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::readiness::watch;

/// Longer than any record.
const RECORD_BYTES: usize = 8192;

/// A reader that stands behind the last record.
#[derive(Debug)]
pub(crate) struct KernelLog {
    log: AsyncFd<File>,
}

impl KernelLog {
    /// Opens the log at its end: only what is logged from now on is news.
    pub(crate) fn at_end() -> io::Result<Self> {
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut log = File::options()
            .read(true)
            .custom_flags(nonblocking)
            .open("/dev/kmsg")?;
        log.seek(SeekFrom::End(0))?;
        Ok(Self {
            log: watch(log, Interest::READABLE)?,
        })
    }

    /// Waits until something was logged, and takes all of it.
    pub(crate) async fn news(&self) -> io::Result<()> {
        self.log.async_io(Interest::READABLE, take_one).await?;
        loop {
            match take_one(self.log.get_ref()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn take_one(mut log: &File) -> io::Result<()> {
    let mut record = [0; RECORD_BYTES];
    match log.read(&mut record) {
        // Overwritten before it was read: also news.
        Err(error) if error.raw_os_error() == Some(libc::EPIPE) => Ok(()),
        other => other.map(drop),
    }
}
