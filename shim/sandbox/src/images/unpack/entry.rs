//! Parse, then do: a member of an archive becomes a checked [`Entry`] or an error. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use tar::EntryType;

use super::super::archive::{Extent, Member};
use super::error::EntryError;
use super::path::EntryPath;

const WHITEOUT: &[u8] = b".wh.";
/// Names that start like this belong to the layer's writer (aufs), `.wh..wh..opq` excepted.
const WHITEOUT_META: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const XATTR_RECORD: &[u8] = b"SCHILY.xattr.";
/// Longest target of a symbolic link (`PATH_MAX` without its NUL).
const MAX_TARGET_BYTES: usize = 4095;

/// What one member asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: EntryPath,
    pub(super) kind: EntryKind,
    pub(super) attributes: Attributes,
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Directory,
    File {
        size: u64,
        extents: Option<Vec<Extent>>,
    },
    Symlink(OsString),
    HardLink(EntryPath),
    Fifo,
    CharDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    /// Removes what lower layers have under this name.
    Whiteout(OsString),
    /// Removes what lower layers have in this directory.
    Opaque,
    /// The layer's writer meant it for itself.
    Ignored,
}

/// What every file has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) mtime: (i64, u32),
    pub(super) xattrs: Vec<(OsString, Vec<u8>)>,
}

/// Checks a member.
pub(super) fn parse(member: &Member) -> Result<Entry, EntryError> {
    let path = EntryPath::parse(&member.path)?;
    let name = path.name_bytes();
    let kind = if name == OPAQUE {
        EntryKind::Opaque
    } else if name.starts_with(WHITEOUT_META) {
        EntryKind::Ignored
    } else if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(EntryError::BadWhiteout);
        }
        EntryKind::Whiteout(OsString::from_vec(hidden.to_vec()))
    } else {
        kind(member)?
    };
    let attributes = Attributes {
        uid: owner(member.uid)?,
        gid: owner(member.gid)?,
        mode: member.mode & 0o7777,
        mtime: member.mtime,
        xattrs: xattrs(&member.records),
    };
    Ok(Entry {
        path,
        kind,
        attributes,
    })
}

fn kind(member: &Member) -> Result<EntryKind, EntryError> {
    let (major, minor) = member.device;
    match member.kind {
        // Before POSIX, a directory was a file whose name ends in a slash.
        EntryType::Regular if member.path.ends_with(b"/") => Ok(EntryKind::Directory),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Ok(EntryKind::File {
            size: member.size,
            extents: member.extents.clone(),
        }),
        EntryType::Directory => Ok(EntryKind::Directory),
        EntryType::Symlink => {
            let target = &member.link;
            if target.is_empty() || target.contains(&0) {
                return Err(EntryError::BadName);
            }
            if target.len() > MAX_TARGET_BYTES {
                return Err(EntryError::TooLong);
            }
            Ok(EntryKind::Symlink(OsString::from_vec(target.clone())))
        }
        EntryType::Link => Ok(EntryKind::HardLink(EntryPath::parse(&member.link)?)),
        EntryType::Fifo => Ok(EntryKind::Fifo),
        EntryType::Char => Ok(EntryKind::CharDevice { major, minor }),
        EntryType::Block => Ok(EntryKind::BlockDevice { major, minor }),
        other => Err(EntryError::Kind(char::from(other.as_byte()))),
    }
}

/// The largest number means "leave it" to chown, so no file can have it.
fn owner(id: u64) -> Result<u32, EntryError> {
    u32::try_from(id)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or(EntryError::Owner(id))
}

fn xattrs(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<(OsString, Vec<u8>)> {
    let named = records.iter().filter_map(|(key, value)| {
        let name = key.strip_prefix(XATTR_RECORD)?;
        // An overlay's own marks would steer the overlay of the guest (redirects, opaque directories).
        let skipped = name.starts_with(b"trusted.overlay.") || name.is_empty() || name.contains(&0);
        (!skipped).then(|| (OsString::from_vec(name.to_vec()), value.clone()))
    });
    named.collect()
}
