//! What a slot is from the start, what of it can change, and how the driver sees both.
//!
//! Features are chosen by what they cost the Linux driver: probe time is paid for every slot of every
//! boot. Left out because the default is what we want: `BLK_SIZE` (512), `TOPOLOGY` (four reads),
//! `MQ` (one queue), `CONFIG_WCE` (a cache that `FLUSH` implies), `SIZE_MAX` (no limit), `GEOMETRY`.

use std::fmt;

use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_RO, VIRTIO_BLK_F_SEG_MAX,
    VIRTIO_BLK_F_WRITE_ZEROES,
};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};

use super::error::InvalidSerial;

/// The unit of every position and capacity (virtio 1.2, 5.2.4).
pub const SECTOR_SIZE: u64 = 512;

/// Entries of the ring. The driver allocates and clears one request of about 450 bytes for each, at
/// probe, in every slot; the device serves one at a time, so more would only cost.
pub(super) const QUEUE_SIZE: u16 = 16;

/// Segments of one request. Larger than the ring: with indirect descriptors, which hold a request in
/// one entry, Linux bounds a request by this number alone.
pub(super) const SEG_MAX: u32 = 254;

/// Ranges in one discard request.
pub(super) const MAX_RANGES: u32 = 16;

/// Sectors in one discard or write-zeroes range: what fits in the 32 bits of bytes that Linux uses.
pub(super) const MAX_RANGE_SECTORS: u32 = u32::MAX >> 9;

/// A discard smaller than this frees nothing on the host (sectors).
const DISCARD_ALIGNMENT_SECTORS: u32 = 8;

/// Longest serial (virtio 1.2, 5.2.6.1).
pub(super) const SERIAL_LEN: usize = 20;

/// Size of the configuration space up to and with the fields of write zeroes.
const CONFIG_LEN: usize = 60;

/// What a slot lets the guest do, fixed at construction: the driver reads features once, at probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockClass {
    /// The guest may write, flush, discard.
    Writable,
    /// The guest may only read, and the file behind it is open for reading only.
    ReadOnly,
}

impl BlockClass {
    /// Feature bits of a slot of this class.
    pub(super) fn features(self) -> u64 {
        let common = 1 << VIRTIO_F_VERSION_1
            | 1 << VIRTIO_RING_F_INDIRECT_DESC
            | 1 << VIRTIO_RING_F_EVENT_IDX
            | 1 << VIRTIO_BLK_F_SEG_MAX;
        common
            | match self {
                Self::ReadOnly => 1 << VIRTIO_BLK_F_RO,
                Self::Writable => {
                    1 << VIRTIO_BLK_F_FLUSH
                        | 1 << VIRTIO_BLK_F_DISCARD
                        | 1 << VIRTIO_BLK_F_WRITE_ZEROES
                }
            }
    }
}

/// By which the guest finds a disk: 1 to 20 ASCII letters, digits, '-' or '_'.
#[derive(Clone, PartialEq, Eq)]
pub struct Serial(String);

impl Serial {
    /// # Errors
    /// The text is not a serial.
    pub fn new(text: &str) -> Result<Self, InvalidSerial> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > SERIAL_LEN || !text.bytes().all(allowed) {
            // An escaped and bounded echo: it may come from anywhere.
            return Err(InvalidSerial(text.escape_debug().take(64).collect()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As `GET_ID` answers: padded with NUL.
    pub(super) fn padded(&self) -> [u8; SERIAL_LEN] {
        let mut padded = [0; SERIAL_LEN];
        for (to, from) in padded.iter_mut().zip(self.0.bytes()) {
            *to = from;
        }
        padded
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The configuration space (virtio 1.2, 5.2.4) of a slot with this capacity.
pub(super) fn space(class: BlockClass, capacity_sectors: u64) -> Vec<u8> {
    let mut space = Vec::with_capacity(CONFIG_LEN);
    space.extend(capacity_sectors.to_le_bytes());
    space.extend(0_u32.to_le_bytes()); // size_max: not offered
    space.extend(SEG_MAX.to_le_bytes());
    space.extend([0; 4]); // geometry: not offered
    space.extend(512_u32.to_le_bytes()); // blk_size
    space.extend([0; 8]); // topology: not offered
    space.extend([0; 4]); // writeback, unused0, num_queues: not offered
    if class == BlockClass::Writable {
        space.extend(MAX_RANGE_SECTORS.to_le_bytes()); // max_discard_sectors
        space.extend(MAX_RANGES.to_le_bytes()); // max_discard_seg
        space.extend(DISCARD_ALIGNMENT_SECTORS.to_le_bytes());
        space.extend(MAX_RANGE_SECTORS.to_le_bytes()); // max_write_zeroes_sectors
        space.extend(1_u32.to_le_bytes()); // max_write_zeroes_seg
        space.extend([1, 0, 0, 0]); // write_zeroes_may_unmap, unused1
    }
    space
}
