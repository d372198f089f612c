//! From a chain of descriptors to a checked request. Reads guest memory, changes nothing.
//!
//! Layout (virtio 1.2, 5.2.6): header and data of the driver in the readable part, data of the device
//! and one status byte in the writable part. How the parts are cut into descriptors is the driver's
//! business (2.7.4.3).

use virtio_bindings::virtio_blk::{
    VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID, VIRTIO_BLK_T_IN,
    VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
};
use vm_memory::{GuestAddress, GuestMemory, GuestMemoryMmap, Permissions};

use super::config::{BlockClass, MAX_RANGE_SECTORS, MAX_RANGES, SECTOR_SIZE, SEG_MAX, SERIAL_LEN};
use super::error::RequestError;
use super::segments::{Segment, Segments};
use crate::virtio::ring::Chain;

/// Bytes of a range in discard and write-zeroes requests.
const RANGE_LEN: u64 = 16;

/// What a host gives back at once.
const PAGE: u64 = 4096;

/// What a request is checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) class: BlockClass,
    /// 0: the slot is empty.
    pub(super) capacity_sectors: u64,
}

/// A range of bytes on the disk, inside of its capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Request {
    /// Bytes of the disk that it is about; 0: it is done in one piece.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Read { data, .. } | Self::Write { data, .. } => data.total(),
            Self::Discard(ranges) | Self::WriteZeroes { ranges, .. } => Range::total(ranges),
            Self::Flush | Self::Id { .. } => 0,
        }
    }
}

impl Range {
    /// Bytes of all of them.
    pub(super) fn total(ranges: &[Self]) -> u64 {
        let sum = |total: u64, range: &Self| total.saturating_add(range.len);
        ranges.iter().fold(0, sum)
    }

    /// At most `len` bytes of `ranges` from `skip` on. Ends that are not a range's own are whole pages, so that a host
    /// can give back the page in which two parts meet.
    pub(super) fn part(ranges: &[Self], mut skip: u64, len: u64) -> Vec<Self> {
        let mut part = Vec::new();
        let mut room = len;
        for range in ranges {
            let here = skip.min(range.len);
            skip = skip.saturating_sub(here);
            let offset = range.offset.saturating_add(here);
            let left = range.len.saturating_sub(here);
            let mut take = left.min(room);
            if take < left {
                let beyond = offset.saturating_add(take) % PAGE;
                take = take
                    .checked_sub(beyond)
                    .filter(|take| *take > 0)
                    .unwrap_or(take);
                room = take;
            }
            room = room.saturating_sub(take);
            if take > 0 {
                part.push(Self { offset, len: take });
            }
        }
        part
    }
}

/// A request that can be done as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Read { offset: u64, data: Segments },
    Write { offset: u64, data: Segments },
    Flush,
    Id { data: Segments },
    Discard(Vec<Range>),
    WriteZeroes { ranges: Vec<Range>, unmap: bool },
}

/// A chain, understood.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Where the driver looks for the status byte; `None`: there is no such place.
    pub(super) status: Option<GuestAddress>,
    /// Bytes before the status byte in the writable part.
    pub(super) writable_len: u64,
    pub(super) request: Result<Request, RequestError>,
}

/// Turn `chain` into a request that needs no more checks, or into the reason why it is none.
pub(super) fn parse(mem: &GuestMemoryMmap, chain: Chain<'_>, limits: Limits) -> Parsed {
    let mut parts = Parts::default();
    let collected = parts.collect(mem, chain);
    let status = parts.writable.take_last();
    let writable_len = parts.writable.total();
    Parsed {
        status: status.or(parts.status_of_refused),
        writable_len,
        request: collected.and_then(|()| {
            if status.is_none() {
                return Err(RequestError::Malformed("no status byte"));
            }
            understand(mem, parts, limits)
        }),
    }
}

/// The two parts of a chain.
#[derive(Debug, Default)]
struct Parts {
    readable: Segments,
    writable: Segments,
    /// Where the status byte of a chain is that was refused half way.
    status_of_refused: Option<GuestAddress>,
}

impl Parts {
    fn collect(&mut self, mem: &GuestMemoryMmap, chain: Chain<'_>) -> Result<(), RequestError> {
        let mut result = Ok(());
        let mut count = 0_usize;
        let mut complete = false;
        let mut last_writable = None;
        for descriptor in chain {
            count += 1;
            complete = !descriptor.has_next();
            let segment = Segment {
                addr: descriptor.addr(),
                len: descriptor.len(),
            };
            if descriptor.is_write_only() {
                last_writable = Some(segment);
            } else if last_writable.is_some() && result.is_ok() {
                result = Err(RequestError::Malformed("readable after writable"));
            }
            if result.is_ok() {
                result = self.add(mem, segment, descriptor.is_write_only());
            }
        }
        // Header and status are segments too.
        if result.is_ok() && u32::try_from(count).map_or(true, |count| count > SEG_MAX + 2) {
            result = Err(RequestError::TooManySegments(count));
        }
        if !complete {
            // Nobody can say where this chain ends: not even its status byte has a place.
            self.writable = Segments::default();
            return Err(RequestError::Malformed("no end"));
        }
        if result.is_err() {
            self.writable = Segments::default();
            self.status_of_refused = last_writable.and_then(|segment| last_byte(mem, segment));
        }
        result
    }

    fn add(
        &mut self,
        mem: &GuestMemoryMmap,
        segment: Segment,
        writable: bool,
    ) -> Result<(), RequestError> {
        let (part, access) = if writable {
            (&mut self.writable, Permissions::Write)
        } else {
            (&mut self.readable, Permissions::Read)
        };
        // Bounds the memory that one request takes on the host.
        if part.pieces().len() > usize::try_from(SEG_MAX).unwrap_or(usize::MAX) + 1 {
            return Err(RequestError::TooManySegments(part.pieces().len() + 1));
        }
        part.push(mem, segment, access)
    }
}

fn last_byte(mem: &GuestMemoryMmap, segment: Segment) -> Option<GuestAddress> {
    let before = u64::from(segment.len.checked_sub(1)?);
    let addr = GuestAddress(segment.addr.0.checked_add(before)?);
    mem.check_range(addr, 1, Permissions::Write).then_some(addr)
}

fn understand(
    mem: &GuestMemoryMmap,
    parts: Parts,
    limits: Limits,
) -> Result<Request, RequestError> {
    let Parts {
        mut readable,
        writable,
        ..
    } = parts;
    let header: [u8; 16] = readable
        .take_front(mem)
        .ok_or(RequestError::Malformed("no header"))?;
    let (kind, sector) = fields(header);
    let may_write = limits.class == BlockClass::Writable;
    match kind {
        VIRTIO_BLK_T_IN => Ok(Request::Read {
            offset: limits.data(sector, writable.total())?,
            data: writable,
        }),
        VIRTIO_BLK_T_OUT if !may_write => Err(RequestError::ReadOnly),
        VIRTIO_BLK_T_OUT => Ok(Request::Write {
            offset: limits.data(sector, readable.total())?,
            data: readable,
        }),
        VIRTIO_BLK_T_FLUSH if may_write => {
            limits.present()?;
            Ok(Request::Flush)
        }
        VIRTIO_BLK_T_GET_ID => {
            if usize::try_from(writable.total()) != Ok(SERIAL_LEN) {
                return Err(RequestError::Malformed("place for the id is not 20 bytes"));
            }
            Ok(Request::Id { data: writable })
        }
        VIRTIO_BLK_T_DISCARD if may_write => {
            let (ranges, flags) = limits.ranges(mem, readable, MAX_RANGES)?;
            // 5.2.6.2: no flag is defined for discard.
            if flags != 0 {
                return Err(RequestError::Unsupported(kind));
            }
            Ok(Request::Discard(ranges))
        }
        VIRTIO_BLK_T_WRITE_ZEROES if may_write => {
            let (ranges, flags) = limits.ranges(mem, readable, 1)?;
            if flags & !VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP != 0 {
                return Err(RequestError::Unsupported(kind));
            }
            Ok(Request::WriteZeroes {
                ranges,
                unmap: flags != 0,
            })
        }
        other => Err(RequestError::Unsupported(other)),
    }
}

/// Type and sector of a header; the priority between them is a hint that we do not take.
fn fields(header: [u8; 16]) -> (u32, u64) {
    let [a, b, c, d, _, _, _, _, sector @ ..] = header;
    (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(sector))
}

impl Limits {
    fn present(self) -> Result<(), RequestError> {
        if self.capacity_sectors == 0 {
            return Err(RequestError::Empty);
        }
        Ok(())
    }

    /// Position in bytes of `len` bytes of data from `sector` on.
    fn data(self, sector: u64, len: u64) -> Result<u64, RequestError> {
        self.present()?;
        if !len.is_multiple_of(SECTOR_SIZE) {
            return Err(RequestError::Malformed("data is not whole sectors"));
        }
        self.range(sector, len)
    }

    fn range(self, sector: u64, len: u64) -> Result<u64, RequestError> {
        let end = sector.checked_add(len / SECTOR_SIZE);
        if end.is_none_or(|end| end > self.capacity_sectors) {
            return Err(RequestError::OutOfRange {
                sector,
                bytes: len,
                capacity: self.capacity_sectors,
            });
        }
        // A capacity comes from a size in bytes, so no position in it overflows.
        Ok(sector.saturating_mul(SECTOR_SIZE))
    }

    /// The ranges of a discard or write-zeroes request, and their flags together.
    fn ranges(
        self,
        mem: &GuestMemoryMmap,
        mut data: Segments,
        max: u32,
    ) -> Result<(Vec<Range>, u32), RequestError> {
        self.present()?;
        let total = data.total();
        if total == 0 || !total.is_multiple_of(RANGE_LEN) || total / RANGE_LEN > max.into() {
            return Err(RequestError::Malformed("ranges are too few or too many"));
        }
        let mut ranges = Vec::new();
        let mut all_flags = 0;
        while let Some(range) = data.take_front::<16>(mem) {
            let [sector @ .., a, b, c, d, e, f, g, h] = range;
            let sector = u64::from_le_bytes(sector);
            let count = u32::from_le_bytes([a, b, c, d]);
            all_flags |= u32::from_le_bytes([e, f, g, h]);
            let len = u64::from(count) * SECTOR_SIZE;
            let offset = self.range(sector, len)?;
            if count > MAX_RANGE_SECTORS {
                return Err(RequestError::Malformed("range is too long"));
            }
            if len > 0 {
                ranges.push(Range { offset, len });
            }
        }
        Ok((ranges, all_flags))
    }
}
