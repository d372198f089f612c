//! What a VMM writes to its standard output and error: kept in memory, bounded, without a file that anyone must remove.

use std::{fs::File, io, os::unix::fs::FileExt};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

/// Room for a panic with its backtrace. What goes beyond is refused to the writer.
const LOG_BYTES: u64 = 64 << 10;

/// The log of one VMM.
#[derive(Debug)]
pub struct VmmLog {
    file: File,
}

impl VmmLog {
    /// An empty log.
    ///
    /// # Errors
    /// The host has no memory file for it.
    pub fn new() -> io::Result<Self> {
        let memory = memfd_create(
            "husk-vmm-log",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )?;
        ftruncate(&memory, LOG_BYTES)?;
        // A VMM that a guest took over must not fill the host's memory with it.
        fcntl_add_seals(
            &memory,
            SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
        )?;
        Ok(Self {
            file: File::from(memory),
        })
    }

    /// The end that the VMM writes to.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// What was written, lossily as text.
    #[must_use]
    pub fn read(&self) -> String {
        let mut bytes = vec![0; usize::try_from(LOG_BYTES).unwrap_or(0)];
        let count = self.file.read_at(&mut bytes, 0).unwrap_or(0);
        bytes.truncate(count);
        let text = String::from_utf8_lossy(&bytes);
        text.trim_end_matches('\0').trim().to_owned()
    }
}
