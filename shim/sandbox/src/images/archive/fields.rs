//! Fields of a header that need more than a look: times, device numbers, sparse maps.

use std::io;

use tar::{EntryType, GnuSparseHeader, Header};

use super::pax::{self, Record};

/// Most pieces of one sparse file.
const MAX_EXTENTS: usize = 64 << 10;

/// A piece of a sparse file that has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Extent {
    /// Where it is in the file.
    pub(in super::super) offset: u64,
    /// How long it is.
    pub(in super::super) length: u64,
}

/// Where a sparse file has data, in the order of its headers.
#[derive(Default)]
pub(super) struct SparseMap {
    pub(super) extents: Vec<Extent>,
    /// Where the last piece ends in the file.
    pub(super) end: u64,
    /// Sum of all pieces.
    pub(super) stored: u64,
}

impl SparseMap {
    /// Adds pieces in order; `None` when they overlap, overflow or are too many.
    pub(super) fn add(&mut self, blocks: &[GnuSparseHeader]) -> Option<()> {
        for block in blocks.iter().filter(|block| !block.is_empty()) {
            let extent = Extent {
                offset: block.offset().ok()?,
                length: block.length().ok()?,
            };
            if extent.offset < self.end || self.extents.len() >= MAX_EXTENTS {
                return None;
            }
            self.end = extent.offset.checked_add(extent.length)?;
            self.stored = self.stored.checked_add(extent.length)?;
            self.extents.push(extent);
        }
        Some(())
    }
}

/// Links, devices and directories have no data, whatever their size field says.
pub(super) fn has_data(kind: EntryType) -> bool {
    !matches!(
        kind,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

/// A name up to its end mark.
pub(super) fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|byte| *byte == 0) {
        text.truncate(end);
    }
    text
}

/// Whether a field holds nothing.
pub(super) fn blank(header: &Header, (from, to): (usize, usize)) -> bool {
    let field = header.as_bytes().get(from..to).unwrap_or_default();
    field.iter().all(|byte| matches!(byte, 0 | b' '))
}

/// Device numbers, of devices only.
pub(super) fn device(header: &Header, kind: EntryType) -> io::Result<(u32, u32)> {
    if !matches!(kind, EntryType::Char | EntryType::Block) {
        return Ok((0, 0));
    }
    Ok((
        header.device_major()?.unwrap_or(0),
        header.device_minor()?.unwrap_or(0),
    ))
}

/// Modification time, the extended one first.
pub(super) fn mtime(header: &Header, records: &[Record]) -> Option<(i64, u32)> {
    let Some(text) = pax::value(records, "mtime") else {
        let seconds = if blank(header, (136, 148)) {
            0
        } else {
            header.mtime().ok()?
        };
        // Binary numbers are two's complement: times before 1970 are negative.
        return Some((seconds.cast_signed(), 0));
    };
    let text = str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos: u32 = digits.parse().ok()?;
    match (whole.starts_with('-'), nanos) {
        (_, 0) | (false, _) => Some((seconds, nanos)),
        (true, _) => Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos)),
    }
}
