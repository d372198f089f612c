//! Why a layer cannot be unpacked.

use std::io;

use thiserror::Error;

use super::super::archive::ArchiveError;

/// Why a layer is refused or cannot be unpacked.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// The archive itself is damaged.
    #[error("layer is not a valid tar archive")]
    Archive(#[from] ArchiveError),
    /// An entry is not acceptable.
    #[error("entry {path:?}: {reason}")]
    Entry {
        /// The entry, as it is named in the archive.
        path: String,
        /// What is wrong with it.
        reason: EntryError,
    },
    /// The file system refused an entry.
    #[error("entry {path:?}: cannot {action}")]
    Io {
        /// The entry, as it is named in the archive.
        path: String,
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// More bytes than an image may have.
    #[error("image is larger than {limit} bytes uncompressed")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// More entries than an image may have.
    #[error("image has more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// The content is not what the manifest promises.
    #[error("{what} digest is {found}, expected {expected}")]
    Digest {
        /// Of which form of the layer.
        what: &'static str,
        /// The digest of what was read.
        found: String,
        /// The digest that was promised.
        expected: String,
    },
}

/// What is wrong with one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// A component is `..`.
    #[error("name or link target leaves the image by \"..\"")]
    ParentDir,
    /// The name or one component is too long.
    #[error("name is longer than 3800 bytes, or a component than 254")]
    TooLong,
    /// Too many directories below one another.
    #[error("lies more than 256 directories deep")]
    TooDeep,
    /// A name holds a NUL byte, or a link has no target.
    #[error("name or link target is empty or holds a NUL byte")]
    BadName,
    /// A whiteout that names nothing that can be removed.
    #[error("whiteout names no file")]
    BadWhiteout,
    /// A type that an image cannot have.
    #[error("type {0:?} is not supported")]
    Kind(char),
    /// An owner that no file can have.
    #[error("owner {0} is out of range")]
    Owner(u64),
    /// The target of a hard link is not there, or is a directory.
    #[error("hard link to something that is not a file of this image")]
    LinkTarget,
    /// A component above it is not a directory.
    #[error("a component of its path is not a directory")]
    NotDirectory,
    /// The file does not fit.
    #[error("needs {needed} bytes, {free} are free")]
    NoSpace {
        /// Size of the file.
        needed: u64,
        /// Free bytes.
        free: u64,
    },
}

/// How many bytes a file needed that did not fit on the disk.
pub(in super::super) fn needed_space(error: &UnpackError) -> Option<u64> {
    match error {
        UnpackError::Entry {
            reason: EntryError::NoSpace { needed, .. },
            ..
        } => Some(*needed),
        _ => None,
    }
}

/// How a name is shown: escaped by the caller's `{:?}`, and never longer than a line.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name.get(..name.len().min(512)).unwrap_or_default());
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}
