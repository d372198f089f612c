//! The two ends of a layer's decompression: what goes in is hashed and reported, what comes out is hashed and limited.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::super::blob::{BlobReader, Hash};

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Compression {
    /// A plain archive.
    None,
    /// gzip, any number of members.
    Gzip,
    /// zstd, any number of frames.
    Zstd,
}

/// Largest window of a zstd frame, as a power of two: 128 MiB, what `zstd` takes without being told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;
const BUFFER_BYTES: usize = 128 << 10;

/// Hears how many bytes of the stored blob were read; an error calls the unpacking off.
pub(in super::super) type News<'a> = dyn FnMut(u64) -> io::Result<()> + 'a;

/// The blob as it is stored.
pub(super) struct Stored<'a> {
    input: BlobReader,
    hash: Option<Hash>,
    news: &'a mut News<'a>,
}

impl<'a> Stored<'a> {
    pub(super) fn new(input: BlobReader, hash: Option<Hash>, news: &'a mut News<'a>) -> Self {
        Self { input, hash, news }
    }

    /// The digest of the whole blob, the unread rest included; `None` when nobody asked for one.
    pub(super) fn digest(mut self) -> io::Result<Option<String>> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.hash.map(Hash::finish))
    }
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        if let Some(hash) = &mut self.hash {
            hash.update(buffer.get(..count).unwrap_or_default());
        }
        (self.news)(u64::try_from(count).unwrap_or(0))?;
        Ok(count)
    }
}

/// The layer's archive.
pub(super) struct Plain<'a> {
    input: Box<dyn Read + 'a>,
    hash: Hash,
    left: u64,
    /// Set when there was more than allowed.
    pub(super) overrun: bool,
}

impl<'a> Plain<'a> {
    /// At most `limit` bytes come out.
    pub(super) fn new(
        stored: impl Read + 'a,
        compression: Compression,
        hash: Hash,
        limit: u64,
    ) -> io::Result<Self> {
        let stored = BufReader::with_capacity(BUFFER_BYTES, stored);
        let input: Box<dyn Read + 'a> = match compression {
            Compression::None => Box::new(stored),
            Compression::Gzip => Box::new(MultiGzDecoder::new(stored)),
            Compression::Zstd => {
                let mut decoder = ZstdDecoder::with_buffer(stored)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
        };
        Ok(Self {
            input,
            hash,
            left: limit,
            overrun: false,
        })
    }

    /// Reads what follows the end of the archive.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink()).map(|_| ())
    }

    /// The digest of all that was read, and how many more bytes were allowed.
    pub(super) fn digest(self) -> (String, u64) {
        (self.hash.finish(), self.left)
    }
}

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        let advanced = u64::try_from(count).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(advanced).ok_or_else(|| {
            self.overrun = true;
            io::Error::other("too many bytes")
        })?;
        Ok(count)
    }
}
