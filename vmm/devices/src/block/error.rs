//! What can go wrong in the block room, and the one table from errors to status bytes.

use std::io;

use thiserror::Error;
use virtio_bindings::virtio_blk::{VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_UNSUPP};

/// Not a serial.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("serial \"{0}\" is not 1 to 20 letters, digits, '-' or '_'")]
pub struct InvalidSerial(pub(super) String);

/// Nothing to detach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("block slot is empty")]
pub struct SlotEmpty;

/// A file that cannot back this slot.
#[derive(Debug, Error)]
pub enum AttachError {
    /// Two files in one slot.
    #[error("block slot already holds disk {0}")]
    Occupied(String),
    /// Neither a regular file nor a block device.
    #[error("disk {0} is neither a regular file nor a block device")]
    Kind(String),
    /// A writable file in a read-only slot, or the other way round, or a mode that breaks positions.
    #[error("disk {serial}: the file is open {mode}")]
    Mode {
        /// Disk that was to be attached.
        serial: String,
        /// What is wrong with it.
        mode: &'static str,
    },
    /// A capacity is counted in whole sectors, and 0 means "no disk".
    #[error("disk {serial}: size {size} is not a positive multiple of 512")]
    Size {
        /// Disk that was to be attached.
        serial: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The host did not say what the file is.
    #[error("disk {serial}: cannot inspect the file: {source}")]
    Inspect {
        /// Disk that was to be attached.
        serial: String,
        /// The host's answer.
        source: io::Error,
    },
}

/// Why a request was not done. The guest's doing unless it says otherwise.
#[derive(Debug, Error)]
pub(super) enum RequestError {
    #[error("chain is broken: {0}")]
    Malformed(&'static str),
    #[error("{0} segments are more than a request may have")]
    TooManySegments(usize),
    #[error("buffer at {0:#x} is not in guest memory")]
    Memory(u64),
    #[error("sector {sector} and {bytes} bytes from there are not on a disk of {capacity} sectors")]
    OutOfRange {
        sector: u64,
        bytes: u64,
        capacity: u64,
    },
    #[error("write to a read-only disk")]
    ReadOnly,
    #[error("request type {0} is not offered")]
    Unsupported(u32),
    #[error("slot is empty")]
    Empty,
    /// The host's doing.
    #[error("host: {0}")]
    Host(#[from] io::Error),
}

impl RequestError {
    /// The status byte that tells the driver (virtio 1.2, 5.2.6).
    pub(super) fn status(&self) -> u8 {
        let status = match self {
            Self::Unsupported(_) => VIRTIO_BLK_S_UNSUPP,
            Self::Malformed(_)
            | Self::TooManySegments(_)
            | Self::Memory(_)
            | Self::OutOfRange { .. }
            | Self::ReadOnly
            | Self::Empty
            | Self::Host(_) => VIRTIO_BLK_S_IOERR,
        };
        status_byte(status)
    }
}

/// A `VIRTIO_BLK_S_*` as it stands in guest memory.
pub(super) fn status_byte(status: u32) -> u8 {
    let [byte, ..] = status.to_le_bytes();
    byte
}
