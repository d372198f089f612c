//! One layer, from its blob into the tree.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::super::archive::{Archive, ArchiveError, Extent};
use super::super::blob::{Blob, Hash};
use super::super::types::Limits;
use super::entry::{self, Entry, EntryKind};
use super::error::{UnpackError, shown};
use super::metadata::apply_open;
use super::stream::{Compression, News, Plain, Stored};
use super::tree::{Tree, TreeError};

const COPY_BYTES: usize = 128 << 10;

/// A layer as the manifest and the configuration describe it.
#[derive(Clone, Debug)]
pub(in super::super) struct LayerBlob {
    /// Its bytes.
    pub(in super::super) blob: Blob,
    /// Digest of the bytes; `None` where nobody says it (docker-archive) and the diff id alone speaks for them.
    pub(in super::super) digest: Option<String>,
    /// Digest of the archive in it.
    pub(in super::super) diff_id: String,
    /// How the archive became the bytes.
    pub(in super::super) compression: Compression,
}

impl LayerBlob {
    /// What it is called in messages.
    pub(in super::super) fn name(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.diff_id)
    }
}

/// What an image may still use up.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Budget {
    limits: Limits,
    archive_bytes: u64,
    file_bytes: u64,
    entries: u64,
}

impl Budget {
    pub(in super::super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            archive_bytes: limits.max_unpacked_bytes,
            file_bytes: limits.max_unpacked_bytes,
            entries: limits.max_entries,
        }
    }

    /// Sizes of all files so far, the ones that later layers removed included.
    pub(in super::super) fn file_bytes_used(&self) -> u64 {
        self.limits
            .max_unpacked_bytes
            .saturating_sub(self.file_bytes)
    }

    fn too_large(&self) -> UnpackError {
        UnpackError::TooLarge {
            limit: self.limits.max_unpacked_bytes,
        }
    }

    fn take_entry(&mut self, kind: &EntryKind) -> Result<(), UnpackError> {
        let left = self.entries.checked_sub(1);
        self.entries = left.ok_or(UnpackError::TooManyEntries {
            limit: self.limits.max_entries,
        })?;
        if let EntryKind::File { size, .. } = kind {
            // Holes of sparse files count: the image has them in full.
            self.file_bytes = self
                .file_bytes
                .checked_sub(*size)
                .ok_or_else(|| self.too_large())?;
        }
        Ok(())
    }
}

/// Unpacks one layer onto what is in the tree. Both digests are checked at the end, so a caller throws the tree away
/// when this fails.
pub(in super::super) fn unpack<'a>(
    tree: &mut Tree,
    layer: &LayerBlob,
    budget: &mut Budget,
    news: &'a mut News<'a>,
) -> Result<(), UnpackError> {
    let plain_hash = algorithm(&layer.diff_id)?;
    let hash = layer.digest.as_deref().map(algorithm).transpose()?;
    let mut stored = Stored::new(layer.blob.reader(), hash, news);
    let outcome = unpack_archive(tree, &mut stored, layer, plain_hash, budget);
    // Damage to the stored bytes shows as all kinds of errors of the archive; the digest tells what it really is.
    let damaged = matches!(
        outcome,
        Err(UnpackError::Archive(_) | UnpackError::Digest { .. })
    );
    if (outcome.is_ok() || damaged)
        && let Some(digest) = &layer.digest
    {
        let found = stored.digest().map_err(ArchiveError::from)?;
        check("stored", found.unwrap_or_default(), digest)?;
    }
    outcome
}

fn unpack_archive(
    tree: &mut Tree,
    stored: &mut Stored<'_>,
    layer: &LayerBlob,
    hash: Hash,
    budget: &mut Budget,
) -> Result<(), UnpackError> {
    let mut plain = Plain::new(stored, layer.compression, hash, budget.archive_bytes)
        .map_err(ArchiveError::from)?;
    tree.begin_layer();
    let outcome = members(tree, &mut Archive::new(&mut plain), budget);
    let outcome = outcome.and_then(|()| Ok(plain.drain().map_err(ArchiveError::from)?));
    if plain.overrun {
        return Err(budget.too_large());
    }
    outcome?;
    let (found, left) = plain.digest();
    budget.archive_bytes = left;
    check("uncompressed", found, &layer.diff_id)
}

fn members(
    tree: &mut Tree,
    archive: &mut Archive<impl Read>,
    budget: &mut Budget,
) -> Result<(), UnpackError> {
    let mut buffer = vec![0; COPY_BYTES];
    while let Some(member) = archive.next()? {
        let path = shown(&member.path);
        let entry = match entry::parse(&member) {
            Ok(entry) => entry,
            Err(reason) => return Err(UnpackError::Entry { path, reason }),
        };
        budget.take_entry(&entry.kind)?;
        let file = match tree.apply(&entry) {
            Ok(file) => file,
            Err(TreeError::Refused(reason)) => return Err(UnpackError::Entry { path, reason }),
            Err(TreeError::Io(action, source)) => {
                return Err(UnpackError::Io {
                    path,
                    action,
                    source,
                });
            }
        };
        if let Some(file) = file {
            write_file(file, &entry, archive, &mut buffer, &path)?;
        }
    }
    Ok(())
}

fn write_file(
    mut file: File,
    entry: &Entry,
    archive: &mut Archive<impl Read>,
    buffer: &mut [u8],
    path: &str,
) -> Result<(), UnpackError> {
    let failed = |action: &'static str| {
        move |source: io::Error| UnpackError::Io {
            path: path.to_owned(),
            action,
            source,
        }
    };
    if let EntryKind::File { size, extents } = &entry.kind {
        let whole = [Extent {
            offset: 0,
            length: *size,
        }];
        for extent in extents.as_deref().unwrap_or(&whole) {
            if extents.is_some() {
                file.seek(SeekFrom::Start(extent.offset))
                    .map_err(failed("write the file"))?;
            }
            let mut left = extent.length;
            while left > 0 {
                let wanted =
                    usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
                let count = archive.data(buffer.get_mut(..wanted).unwrap_or_default())?;
                let piece = buffer.get(..count).filter(|piece| !piece.is_empty());
                let piece = piece.ok_or(ArchiveError::Truncated("a file"))?;
                file.write_all(piece).map_err(failed("write the file"))?;
                left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            }
        }
        if extents.is_some() {
            file.set_len(*size).map_err(failed("write the file"))?;
        }
    }
    apply_open(&file, &entry.attributes).map_err(failed("set its attributes"))
}

fn algorithm(digest: &str) -> Result<Hash, UnpackError> {
    Hash::of(digest).ok_or_else(|| UnpackError::Digest {
        what: "layer",
        found: "not computable".to_owned(),
        expected: digest.to_owned(),
    })
}

fn check(what: &'static str, found: String, expected: &str) -> Result<(), UnpackError> {
    if found == expected {
        return Ok(());
    }
    Err(UnpackError::Digest {
        what,
        found,
        expected: expected.to_owned(),
    })
}
