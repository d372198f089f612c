//! The reader: headers, long names, extended headers and sparse maps become [`Member`]s.
//!
//! The `tar` crate decodes the fields; its iterator is not used because it keeps extensions of any length in memory
//! and ends a pax value at its first line feed, which file capabilities may contain.

use std::io::{self, Read};

use tar::{EntryType, GnuExtSparseHeader, Header};

use super::error::ArchiveError;
use super::fields::{Extent, SparseMap, blank, device, has_data, mtime, until_nul};
use super::pax::{self, Record};

const BLOCK: usize = 512;
const BLOCK_U64: u64 = 512;
/// Longest path or link name: `PATH_MAX` and some.
const MAX_NAME_BYTES: u64 = 8 << 10;
/// Longest extended header; extended attributes (64 KiB each on Linux) are the largest honest content.
const MAX_PAX_BYTES: u64 = 1 << 20;

/// One member of an archive. Its data is read from the [`Archive`].
#[derive(Debug)]
pub(in super::super) struct Member {
    /// Type of the member.
    pub(in super::super) kind: EntryType,
    /// Name as it is in the archive.
    pub(in super::super) path: Vec<u8>,
    /// Link name as it is in the archive, empty when there is none.
    pub(in super::super) link: Vec<u8>,
    /// Size of the file; 0 for members without data.
    pub(in super::super) size: u64,
    /// Where a sparse file has data; `None` when it is not sparse.
    pub(in super::super) extents: Option<Vec<Extent>>,
    /// Permission bits as stored.
    pub(in super::super) mode: u32,
    /// Owner.
    pub(in super::super) uid: u64,
    /// Group.
    pub(in super::super) gid: u64,
    /// Modification time: seconds and nanoseconds.
    pub(in super::super) mtime: (i64, u32),
    /// Major and minor number of a device.
    pub(in super::super) device: (u32, u32),
    /// Extended header records.
    pub(in super::super) records: Vec<Record>,
    /// Where its data begins in the archive.
    pub(in super::super) data_at: u64,
}

/// An archive that is read once, from front to back.
#[derive(Debug)]
pub(in super::super) struct Archive<R> {
    input: R,
    position: u64,
    data_left: u64,
    padding_left: u64,
}

#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Option<Vec<Record>>,
}

impl<R: Read> Archive<R> {
    pub(in super::super) fn new(input: R) -> Self {
        Self::resume(input, 0)
    }

    /// Goes on at a header: the source has been moved to `position`.
    pub(in super::super) fn resume(input: R, position: u64) -> Self {
        Self {
            input,
            position,
            data_left: 0,
            padding_left: 0,
        }
    }

    /// The next member; what is left of the one before is skipped.
    pub(in super::super) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut extensions = Extensions::default();
        let mut pending = false;
        loop {
            self.skip()?;
            let at = self.position;
            let Some(header) = self.header()? else {
                return if pending {
                    Err(ArchiveError::Dangling(at))
                } else {
                    Ok(None)
                };
            };
            let kind = header.entry_type();
            let slot_taken = match kind {
                EntryType::GNULongName => {
                    let text = self.extension("member name", MAX_NAME_BYTES, &header, at)?;
                    extensions.path.replace(until_nul(text)).is_some()
                }
                EntryType::GNULongLink => {
                    let text = self.extension("link name", MAX_NAME_BYTES, &header, at)?;
                    extensions.link.replace(until_nul(text)).is_some()
                }
                EntryType::XHeader => {
                    let text = self.extension("extended header", MAX_PAX_BYTES, &header, at)?;
                    let records = pax::records(&text).ok_or(ArchiveError::Pax(at))?;
                    extensions.records.replace(records).is_some()
                }
                EntryType::XGlobalHeader => {
                    // Global headers carry comments (git archive); no engine applies them to layers.
                    self.extension("global header", MAX_PAX_BYTES, &header, at)?;
                    continue;
                }
                _ => return self.member(&header, extensions, at).map(Some),
            };
            if slot_taken {
                return Err(ArchiveError::Dangling(at));
            }
            pending = true;
        }
    }

    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut header = Header::new_old();
        let at = self.position;
        if !self.block(header.as_mut_bytes(), "a header")? {
            return Ok(None);
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum = bytes.iter().enumerate().fold(0_u32, |sum, (index, byte)| {
            // The checksum field itself counts as spaces.
            sum + if (148..156).contains(&index) {
                32
            } else {
                u32::from(*byte)
            }
        });
        if header.cksum().ok() != Some(sum) {
            return Err(ArchiveError::Checksum(at));
        }
        Ok(Some(header))
    }

    fn member(
        &mut self,
        header: &Header,
        extensions: Extensions,
        at: u64,
    ) -> Result<Member, ArchiveError> {
        let records = extensions.records.unwrap_or_default();
        if records
            .iter()
            .any(|(key, _)| key.starts_with(b"GNU.sparse."))
        {
            return Err(ArchiveError::PaxSparse);
        }
        let field = |field| ArchiveError::Field { at, field };
        let number =
            |key: &'static str, range: (usize, usize), read: &dyn Fn() -> io::Result<u64>| {
                match pax::number(&records, key) {
                    Some(found) => found.ok_or_else(|| field(key)),
                    None if blank(header, range) => Ok(0),
                    None => read().map_err(|_| field(key)),
                }
            };
        let kind = header.entry_type();
        let stored = if has_data(kind) {
            number("size", (124, 136), &|| header.entry_size())?
        } else {
            0
        };
        let path = pax::value(&records, "path").map(<[u8]>::to_vec);
        let link = pax::value(&records, "linkpath").map(<[u8]>::to_vec);
        let mode = if blank(header, (100, 108)) {
            Ok(0)
        } else {
            header.mode()
        };
        let mut member = Member {
            kind,
            path: path
                .or(extensions.path)
                .unwrap_or_else(|| header.path_bytes().into_owned()),
            link: link.or(extensions.link).unwrap_or_else(|| {
                header
                    .link_name_bytes()
                    .map(|name| name.into_owned())
                    .unwrap_or_default()
            }),
            size: stored,
            extents: None,
            mode: mode.map_err(|_| field("mode"))?,
            uid: number("uid", (108, 116), &|| header.uid())?,
            gid: number("gid", (116, 124), &|| header.gid())?,
            mtime: mtime(header, &records).ok_or_else(|| field("mtime"))?,
            device: device(header, kind).map_err(|_| field("device number"))?,
            data_at: 0,
            records: Vec::new(),
        };
        if kind == EntryType::GNUSparse {
            self.sparse(header, &mut member, at)?;
        }
        member.records = records;
        member.data_at = self.position;
        self.begin_data(stored, at)?;
        Ok(member)
    }

    fn sparse(
        &mut self,
        header: &Header,
        member: &mut Member,
        at: u64,
    ) -> Result<(), ArchiveError> {
        let malformed = || ArchiveError::Sparse(at);
        let gnu = header.as_gnu().ok_or_else(malformed)?;
        let stored = member.size;
        member.size = gnu.real_size().map_err(|_| malformed())?;
        let mut map = SparseMap {
            extents: Vec::new(),
            end: 0,
            stored: 0,
        };
        map.add(&gnu.sparse).ok_or_else(malformed)?;
        let mut more = gnu.is_extended();
        while more {
            let mut next = GnuExtSparseHeader::new();
            if !self.block(next.as_mut_bytes(), "a sparse map")? {
                return Err(ArchiveError::Truncated("a sparse map"));
            }
            map.add(next.sparse()).ok_or_else(malformed)?;
            more = next.is_extended();
        }
        if map.end > member.size || map.stored != stored {
            return Err(malformed());
        }
        member.extents = Some(map.extents);
        Ok(())
    }

    fn extension(
        &mut self,
        what: &'static str,
        limit: u64,
        header: &Header,
        at: u64,
    ) -> Result<Vec<u8>, ArchiveError> {
        let bytes = header
            .entry_size()
            .map_err(|_| ArchiveError::Field { at, field: "size" })?;
        if bytes > limit {
            return Err(ArchiveError::TooLong { what, bytes, limit });
        }
        self.begin_data(bytes, at)?;
        let mut text = Vec::new();
        let mut buffer = [0; BLOCK];
        while self.data_left > 0 {
            let count = self.data(&mut buffer)?;
            text.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
        Ok(text)
    }

    fn begin_data(&mut self, bytes: u64, at: u64) -> Result<(), ArchiveError> {
        let padded = bytes.checked_next_multiple_of(BLOCK_U64);
        let padded = padded.ok_or(ArchiveError::Field { at, field: "size" })?;
        self.data_left = bytes;
        self.padding_left = padded - bytes;
        Ok(())
    }

    /// Bytes of the current member, 0 at its end.
    pub(in super::super) fn data(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let wanted =
            usize::try_from(self.data_left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let count = self.some(buffer)?;
        if count == 0 {
            return Err(ArchiveError::Truncated("a member"));
        }
        self.data_left -= u64::try_from(count).unwrap_or(u64::MAX).min(self.data_left);
        Ok(count)
    }

    fn skip(&mut self) -> Result<(), ArchiveError> {
        let mut buffer = [0; 32 << 10];
        while self.data_left > 0 {
            self.data(&mut buffer)?;
        }
        let padding = usize::try_from(self.padding_left).unwrap_or(0).min(BLOCK);
        self.padding_left = 0;
        let mut read = 0;
        while let Some(rest) = buffer
            .get_mut(read..padding)
            .filter(|rest| !rest.is_empty())
        {
            match self.some(rest)? {
                // Some writers leave out the last padding.
                0 => break,
                count => read += count,
            }
        }
        Ok(())
    }

    /// Fills a whole block; `false` when the source is at its end.
    fn block(
        &mut self,
        block: &mut [u8; BLOCK],
        within: &'static str,
    ) -> Result<bool, ArchiveError> {
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.some(rest)? {
                0 if filled == 0 => return Ok(false),
                0 => return Err(ArchiveError::Truncated(within)),
                count => filled += count,
            }
        }
        Ok(true)
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        loop {
            match self.input.read(buffer) {
                Ok(count) => {
                    self.position += u64::try_from(count).unwrap_or(0);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
