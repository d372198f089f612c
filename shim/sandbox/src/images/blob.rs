//! Content-addressed bytes: a region of an open file, and the digests that name it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use sha2::{Digest, Sha256, Sha512};

/// A region of a file.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    /// The file; layout archives hold many blobs.
    pub(super) file: Arc<File>,
    /// Where the region begins.
    pub(super) offset: u64,
    /// How long it is.
    pub(super) size: u64,
}

impl Blob {
    /// Reads the region from its beginning, independent of other readers.
    pub(super) fn reader(&self) -> BlobReader {
        self.part(0)
    }

    /// Reads the region from a place in it.
    pub(super) fn part(&self, from: u64) -> BlobReader {
        let file = Arc::clone(&self.file);
        let at = self.offset.saturating_add(from);
        BlobReader {
            file,
            at,
            left: self.size.saturating_sub(from),
        }
    }
}

/// Reads a [`Blob`].
#[derive(Debug)]
pub(super) struct BlobReader {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self
            .file
            .read_at(buffer.get_mut(..wanted).unwrap_or_default(), self.at)?;
        let advanced = u64::try_from(count).unwrap_or(0);
        self.at += advanced;
        self.left = self.left.saturating_sub(advanced);
        Ok(count)
    }
}

/// A running digest of one of the two registered algorithms.
#[derive(Clone, Debug)]
pub(super) enum Hash {
    /// `sha256:`
    Sha256(Box<Sha256>),
    /// `sha512:`
    Sha512(Box<Sha512>),
}

impl Hash {
    /// The algorithm of a digest like `sha256:...`; `None` for another one.
    pub(super) fn of(digest: &str) -> Option<Self> {
        match digest.split_once(':')?.0 {
            "sha256" => Some(Self::Sha256(Box::default())),
            "sha512" => Some(Self::Sha512(Box::default())),
            _ => None,
        }
    }

    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest in its registered form.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Sha256(hash) => format!("sha256:{}", hex::encode(hash.finalize())),
            Self::Sha512(hash) => format!("sha512:{}", hex::encode(hash.finalize())),
        }
    }
}
