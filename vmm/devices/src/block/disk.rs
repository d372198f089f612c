//! The file behind a slot. Does checked requests and nothing else.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};

use rustix::fs::{FallocateFlags, OFlags, fallocate, fcntl_getfl};
use rustix::io::Errno;

use super::config::{BlockClass, SECTOR_SIZE, Serial};
use super::error::AttachError;
use super::request::Range;

/// Zeroes written at a time where the host cannot do better.
const ZEROES: &[u8] = &[0; 64 * 1024];

/// A backing file in its slot.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) file: File,
    pub(super) serial: Serial,
    pub(super) capacity_sectors: u64,
}

impl Disk {
    /// Check that `file` can be a disk of `class`.
    pub(super) fn open(file: File, serial: Serial, class: BlockClass) -> Result<Self, AttachError> {
        let inspect = |source: io::Error| AttachError::Inspect {
            serial: serial.as_str().to_owned(),
            source,
        };
        let flags = fcntl_getfl(&file).map_err(|errno| inspect(errno.into()))?;
        if let Some(mode) = unusable_mode(flags, class) {
            return Err(AttachError::Mode {
                serial: serial.as_str().to_owned(),
                mode,
            });
        }
        let kind = file.metadata().map_err(inspect)?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(AttachError::Kind(serial.as_str().to_owned()));
        }
        // A block device says its size only this way.
        let size = (&file).seek(SeekFrom::End(0)).map_err(inspect)?;
        if size == 0 || size % SECTOR_SIZE != 0 {
            return Err(AttachError::Size {
                serial: serial.as_str().to_owned(),
                size,
            });
        }
        Ok(Self {
            file,
            serial,
            capacity_sectors: size / SECTOR_SIZE,
        })
    }

    /// Everything written so far is on the disk when this returns.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Give ranges back to the host; a host that cannot is no error (5.2.6.2: a hint).
    pub(super) fn discard(&self, ranges: &[Range]) -> io::Result<()> {
        for range in ranges {
            match self.punch(*range) {
                Err(errno) if !unsupported(errno) => return Err(errno.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Make ranges read as zeroes, keeping their space unless `unmap`.
    pub(super) fn write_zeroes(&self, ranges: &[Range], unmap: bool) -> io::Result<()> {
        for range in ranges {
            let done = if unmap {
                self.punch(*range).or_else(|_| self.zero(*range))
            } else {
                self.zero(*range)
            };
            match done {
                Err(errno) if unsupported(errno) => self.write_plain_zeroes(*range)?,
                other => other?,
            }
        }
        Ok(())
    }

    fn punch(&self, range: Range) -> Result<(), Errno> {
        self.allocate(FallocateFlags::PUNCH_HOLE, range)
    }

    fn zero(&self, range: Range) -> Result<(), Errno> {
        self.allocate(FallocateFlags::ZERO_RANGE, range)
    }

    fn allocate(&self, how: FallocateFlags, range: Range) -> Result<(), Errno> {
        let mode = how | FallocateFlags::KEEP_SIZE;
        loop {
            match fallocate(&self.file, mode, range.offset, range.len) {
                Err(Errno::INTR) => {}
                done => return done,
            }
        }
    }

    fn write_plain_zeroes(&self, range: Range) -> io::Result<()> {
        let mut offset = range.offset;
        let mut left = range.len;
        while left > 0 {
            let len = usize::try_from(left).map_or(ZEROES.len(), |left| left.min(ZEROES.len()));
            let (now, _) = ZEROES.split_at_checked(len).unwrap_or((ZEROES, &[]));
            self.file.write_all_at(now, offset)?;
            let written = u64::try_from(len).map_err(io::Error::other)?;
            offset = offset.saturating_add(written);
            left = left.saturating_sub(written);
        }
        Ok(())
    }
}

fn unsupported(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV)
}

/// What is wrong with how the file was opened.
fn unusable_mode(flags: OFlags, class: BlockClass) -> Option<&'static str> {
    let access = flags & OFlags::RWMODE;
    if flags.contains(OFlags::PATH) {
        Some("as a path only")
    } else if flags.contains(OFlags::APPEND) {
        // Positions would be ignored.
        Some("for appending")
    } else if flags.contains(OFlags::DIRECT) {
        // Guest buffers are aligned to sectors at best.
        Some("for direct I/O")
    } else {
        match class {
            BlockClass::Writable if access != OFlags::RDWR => {
                Some("without write access, the slot is writable")
            }
            BlockClass::ReadOnly if access != OFlags::RDONLY => {
                Some("with write access, the slot is read-only")
            }
            _ => None,
        }
    }
}
