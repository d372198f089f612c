//! Reading a boot file once, from its first byte to its last: what is loaded is what is hashed.

use std::fmt::Write;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::error::BootError;
use super::image::BootImage;
use crate::sys;

/// Bytes read at once, and the longest head.
const CHUNK_BYTES: usize = 32 << 10;

/// A kernel or initramfs beyond this is a mistake, and hashing it would take minutes.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// A boot file, read front to back.
#[derive(Debug)]
pub(super) struct HashingReader<'a> {
    image: BootImage<'a>,
    size: u64,
    /// The first bytes, for the parser of the headers.
    head: Vec<u8>,
    /// Bytes hashed so far; reading goes on here.
    position: u64,
    hasher: Sha256,
    chunk: Vec<u8>,
}

impl<'a> HashingReader<'a> {
    pub(super) fn new(image: BootImage<'a>) -> Result<Self, BootError> {
        let read = |source| BootError::Read {
            name: image.name.to_owned(),
            source,
        };
        let size = image.file.metadata().map_err(read)?.len();
        if size > MAX_FILE_BYTES {
            return Err(BootError::TooLarge {
                name: image.name.to_owned(),
                needed: size,
                available: MAX_FILE_BYTES,
            });
        }
        let mut reader = Self {
            image,
            size,
            head: Vec::new(),
            position: 0,
            hasher: Sha256::new(),
            chunk: vec![0; CHUNK_BYTES],
        };
        let length = reader.next_chunk(size)?;
        reader.head = reader.chunk[..length].to_vec();
        Ok(reader)
    }

    /// The first bytes of the file: all of it or [`CHUNK_BYTES`].
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Put `length` bytes from `offset` of the file at `address` of guest memory: whole pages are mapped, the rest is
    /// copied. Calls go forward in the file and do not overlap; what is not copied is hashed only.
    pub(super) fn put(
        &mut self,
        memory: &GuestMemoryMmap,
        offset: u64,
        length: u64,
        address: u64,
    ) -> Result<(), BootError> {
        let laid = self.lay(memory, (offset, length), address)?;
        if laid == 0 {
            sys::populate(memory, address, length);
        }
        let end = offset.saturating_add(length);
        let mut at = offset + laid;
        if let Some(known) = self.head_part(at, end) {
            write(memory, address + laid, known)?;
            at += known.len() as u64;
        }
        if at < end {
            self.skip_to(at)?;
        }
        while at < end {
            let count = self.next_chunk(end)?;
            write(memory, address + (at - offset), &self.chunk[..count])?;
            at += count as u64;
        }
        Ok(())
    }

    /// Map the whole pages of a part that begins at a page border, and hash them where they lie; how many bytes.
    fn lay(
        &mut self,
        memory: &GuestMemoryMmap,
        (offset, length): (u64, u64),
        address: u64,
    ) -> Result<u64, BootError> {
        self.skip_to(offset)?;
        let hashed = usize::try_from(self.position - offset).unwrap_or(usize::MAX);
        let (file, hasher) = (self.image.file, &mut self.hasher);
        let laid = sys::lay(memory, file, (offset, length), address, |pages| {
            hasher.update(pages.get(hashed..).unwrap_or_default());
        });
        self.position = self.position.max(offset + laid);
        Ok(laid)
    }

    /// Hash the rest and compare.
    pub(super) fn finish(mut self) -> Result<(), BootError> {
        self.skip_to(self.size)?;
        let mut found = String::with_capacity(64);
        for byte in self.hasher.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(found, "{byte:02x}");
        }
        if found == self.image.sha256 {
            return Ok(());
        }
        Err(BootError::Hash {
            name: self.image.name.to_owned(),
            expected: self.image.sha256.to_owned(),
            found,
        })
    }

    fn skip_to(&mut self, offset: u64) -> Result<(), BootError> {
        while self.position < offset {
            self.next_chunk(offset)?;
        }
        Ok(())
    }

    /// What the head has of `offset..end`.
    fn head_part(&self, offset: u64, end: u64) -> Option<&[u8]> {
        let offset = usize::try_from(offset).ok()?;
        let end = usize::try_from(end)
            .unwrap_or(usize::MAX)
            .min(self.head.len());
        self.head.get(offset..end)
    }

    /// Read and hash the next bytes, not beyond `limit`; how many.
    fn next_chunk(&mut self, limit: u64) -> Result<usize, BootError> {
        let wanted = limit.saturating_sub(self.position);
        let count = usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .min(CHUNK_BYTES);
        let chunk = &mut self.chunk[..count];
        self.image
            .file
            .read_exact_at(chunk, self.position)
            .map_err(|source| BootError::Read {
                name: self.image.name.to_owned(),
                source: truncated(source, self.size),
            })?;
        self.hasher.update(&*chunk);
        self.position += count as u64;
        Ok(count)
    }
}

/// A file that ends before its size does.
fn truncated(source: Error, size: u64) -> Error {
    if source.kind() != ErrorKind::UnexpectedEof {
        return source;
    }
    Error::new(
        ErrorKind::UnexpectedEof,
        format!("ends before its {size} bytes"),
    )
}

fn write(memory: &GuestMemoryMmap, address: u64, bytes: &[u8]) -> Result<(), BootError> {
    memory
        .write_slice(bytes, GuestAddress(address))
        .map_err(|source| BootError::GuestMemory { address, source })
}
