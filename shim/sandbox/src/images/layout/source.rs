//! Where the files of a layout are: below a directory, or in an archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use oci_spec::image::Descriptor;
use rustix::fs::OFlags;
use tar::EntryType;

use super::super::archive::{Archive, ArchiveError};
use super::super::blob::{Blob, BlobReader, Hash};
use super::error::LayoutError;

/// Most files of a layout's archive.
const MAX_FILES: usize = 100_000;
/// Largest JSON document.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A layout whose files can be found.
#[derive(Debug)]
pub(in super::super) enum Source {
    /// A directory.
    Dir(PathBuf),
    /// Files of an archive, by their names in it.
    Archive(HashMap<Vec<u8>, Blob>),
}

/// Hears how many bytes of a compressed archive were unfolded; an error calls it off.
type News<'a> = dyn FnMut(u64) -> io::Result<()> + 'a;

impl Source {
    /// Reads the table of an archive. A compressed one is first unfolded into an unnamed file in `scratch`.
    pub(in super::super) fn archive(
        file: File,
        scratch: &Path,
        limit: u64,
        news: &mut News<'_>,
    ) -> Result<Self, LayoutError> {
        let io = |source| LayoutError::Io {
            what: "the archive".to_owned(),
            source,
        };
        let size = file.metadata().map_err(io)?.len();
        let mut blob = Blob {
            file: Arc::new(file),
            offset: 0,
            size,
        };
        let mut magic = [0; 2];
        let gzip = blob.reader().read_exact(&mut magic).is_ok() && magic == GZIP_MAGIC;
        if gzip {
            blob = unfold(blob.reader(), scratch, limit, news)?;
        }
        Ok(Self::Archive(table(&blob)?))
    }

    /// The content of `index.json`.
    pub(super) fn index(&self) -> Result<Vec<u8>, LayoutError> {
        let name = "index.json";
        document(&self.file(name)?, name)
    }

    /// A document that a descriptor names, verified.
    pub(super) fn verified(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let digest = descriptor.digest().to_string();
        let content = document(&self.blob(descriptor)?, &digest)?;
        let algorithm = Hash::of(&digest);
        let mut hash = algorithm.ok_or_else(|| LayoutError::Algorithm(digest.clone()))?;
        hash.update(&content);
        let found = hash.finish();
        if found != digest {
            return Err(LayoutError::Digest { digest, found });
        }
        Ok(content)
    }

    /// The bytes that a descriptor names; their size is checked, their digest is not.
    pub(super) fn blob(&self, descriptor: &Descriptor) -> Result<Blob, LayoutError> {
        let digest = descriptor.digest().to_string();
        if Hash::of(&digest).is_none() {
            return Err(LayoutError::Algorithm(digest));
        }
        // A parsed digest has no slash and no dot-dot: oci-spec checks its alphabet.
        let blob = self.file(&format!("blobs/{}", digest.replacen(':', "/", 1)))?;
        let expected = descriptor.size();
        if blob.size != expected {
            return Err(LayoutError::Size {
                digest,
                found: blob.size,
                expected,
            });
        }
        Ok(blob)
    }

    fn file(&self, name: &str) -> Result<Blob, LayoutError> {
        let missing = || LayoutError::Missing(name.to_owned());
        let dir = match self {
            Self::Archive(files) => return files.get(name.as_bytes()).cloned().ok_or_else(missing),
            Self::Dir(dir) => dir,
        };
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => missing(),
            _ => LayoutError::Io {
                what: name.to_owned(),
                source,
            },
        };
        let file = open_regular(&dir.join(name)).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        Ok(Blob {
            file: Arc::new(file),
            offset: 0,
            size,
        })
    }
}

/// Where each file of an uncompressed archive is; only headers are read.
fn table(blob: &Blob) -> Result<HashMap<Vec<u8>, Blob>, LayoutError> {
    let mut files = HashMap::new();
    let mut position = 0;
    while let Some(member) = Archive::resume(blob.part(position), position).next()? {
        let end = member
            .data_at
            .checked_add(member.size)
            .filter(|end| *end <= blob.size);
        let end = end.ok_or(ArchiveError::Truncated("a file"))?;
        position = end.checked_next_multiple_of(512).unwrap_or(end);
        if !matches!(member.kind, EntryType::Regular | EntryType::Continuous) {
            continue;
        }
        if files.len() >= MAX_FILES {
            return Err(LayoutError::Excess(format!(
                "the archive has more than {MAX_FILES} files"
            )));
        }
        let name = member
            .path
            .strip_prefix(b"./")
            .unwrap_or(&member.path)
            .to_vec();
        let file = Arc::clone(&blob.file);
        files.insert(
            name,
            Blob {
                file,
                offset: member.data_at,
                size: member.size,
            },
        );
    }
    Ok(files)
}

/// Opens a file that somebody else has named; a pipe or device is refused instead of waited for.
pub(in super::super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

fn document(blob: &Blob, what: &str) -> Result<Vec<u8>, LayoutError> {
    if blob.size > MAX_DOCUMENT_BYTES {
        let problem = format!(
            "{what} has {} bytes, more than {MAX_DOCUMENT_BYTES}",
            blob.size
        );
        return Err(LayoutError::Excess(problem));
    }
    let mut content = Vec::new();
    let read = blob.reader().read_to_end(&mut content);
    read.map_err(|source| LayoutError::Io {
        what: what.to_owned(),
        source,
    })?;
    Ok(content)
}

fn unfold(
    compressed: BlobReader,
    scratch: &Path,
    limit: u64,
    news: &mut News<'_>,
) -> Result<Blob, LayoutError> {
    let io = |source| LayoutError::Io {
        what: "the compressed archive".to_owned(),
        source,
    };
    let mut file = tempfile::tempfile_in(scratch).map_err(io)?;
    let mut input = MultiGzDecoder::new(compressed);
    let mut buffer = vec![0; 128 << 10];
    let mut size = 0_u64;
    loop {
        let count = input.read(&mut buffer).map_err(io)?;
        if count == 0 {
            break;
        }
        size = size.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if size > limit {
            let problem = format!("the archive has more than {limit} bytes uncompressed");
            return Err(LayoutError::Excess(problem));
        }
        file.write_all(buffer.get(..count).unwrap_or_default())
            .map_err(io)?;
        news(size).map_err(io)?;
    }
    Ok(Blob {
        file: Arc::new(file),
        offset: 0,
        size,
    })
}
