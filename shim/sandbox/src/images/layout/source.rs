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
use super::documents::{self, Ambiguity, Documents, MAX_DOCUMENT_BYTES};
use super::error::LayoutError;

/// Most files of a layout's archive.
const MAX_FILES: usize = 100_000;
/// Most bytes of all their names and link targets.
const MAX_NAME_BYTES: usize = 32 << 20;
/// Most links on the way to a file.
const MAX_LINKS: usize = 8;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A layout whose files can be found.
#[derive(Debug)]
pub(in super::super) enum Source {
    /// A directory.
    Dir(PathBuf),
    /// Files of an archive, by their names in it.
    Archive(HashMap<Vec<u8>, Node>),
}

/// What an archive has under a name.
#[derive(Debug)]
pub(in super::super) enum Node {
    /// A file.
    File(Blob),
    /// A link, as the name that it leads to: old docker archives store equal layers once.
    Link(Vec<u8>),
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

    /// Whether it is an archive with this name and without the other one.
    pub(super) fn is_archive_with(&self, name: &str, without: &str) -> bool {
        let has = |files: &HashMap<Vec<u8>, Node>, name: &str| files.contains_key(name.as_bytes());
        matches!(self, Self::Archive(files) if has(files, name) && !has(files, without))
    }

    /// A document by its name; nothing but its size is checked.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, LayoutError> {
        document(&self.file(name)?, name)
    }

    /// A file by its name, through links.
    pub(super) fn file(&self, name: &str) -> Result<Blob, LayoutError> {
        let missing = || LayoutError::Missing(name.to_owned());
        let dir = match self {
            Self::Archive(files) => return linked(files, name),
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

impl Documents for Source {
    fn index(&self) -> Result<Vec<u8>, LayoutError> {
        self.document("index.json")
    }

    fn verified(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let digest = descriptor.digest().to_string();
        let content = document(&self.blob(descriptor)?, &digest)?;
        documents::verify(&digest, &content)?;
        Ok(content)
    }

    fn ambiguity(&self) -> Ambiguity {
        Ambiguity::Refused
    }
}

/// Where each file of an uncompressed archive is; only headers are read.
fn table(blob: &Blob) -> Result<HashMap<Vec<u8>, Node>, LayoutError> {
    let mut files = HashMap::new();
    let (mut position, mut name_bytes) = (0, 0);
    while let Some(member) = Archive::resume(blob.part(position), position).next()? {
        let end = member
            .data_at
            .checked_add(member.size)
            .filter(|end| *end <= blob.size);
        let end = end.ok_or(ArchiveError::Truncated("a file"))?;
        position = end.checked_next_multiple_of(512).unwrap_or(end);
        let node = match member.kind {
            EntryType::Regular | EntryType::Continuous => Node::File(Blob {
                file: Arc::clone(&blob.file),
                offset: member.data_at,
                size: member.size,
            }),
            EntryType::Symlink => Node::Link(below(&parent(&member.path), &member.link)),
            EntryType::Link => Node::Link(member.link),
            _ => continue,
        };
        let name = below(b"", &member.path);
        name_bytes += name.len();
        if let Node::Link(target) = &node {
            name_bytes += target.len();
        }
        if files.len() >= MAX_FILES || name_bytes > MAX_NAME_BYTES {
            let problem = format!(
                "the archive has more than {MAX_FILES} files or {MAX_NAME_BYTES} bytes of names"
            );
            return Err(LayoutError::Excess(problem));
        }
        files.insert(name, node);
    }
    Ok(files)
}

/// The file under a name of an archive. A link that leads to nothing in the archive is as good as no file.
fn linked(files: &HashMap<Vec<u8>, Node>, name: &str) -> Result<Blob, LayoutError> {
    let mut at = below(b"", name.as_bytes());
    for _ in 0..=MAX_LINKS {
        match files.get(&at) {
            Some(Node::File(blob)) => return Ok(blob.clone()),
            Some(Node::Link(target)) => at = below(b"", target),
            None if at == name.as_bytes() => return Err(LayoutError::Missing(name.to_owned())),
            None => {
                let target = String::from_utf8_lossy(&at);
                let link = format!("{target:?}, which {name:?} is a link to,");
                return Err(LayoutError::Missing(link));
            }
        }
    }
    let problem = format!("{name:?} is a link through more than {MAX_LINKS} links");
    Err(LayoutError::Excess(problem))
}

/// The directory of a member, as a prefix.
fn parent(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..end).unwrap_or_default().to_vec()
}

/// A name below a directory of the archive, without `.` and `..`. What climbs out of the archive stays at its root:
/// it is only looked up among the archive's own names.
fn below(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let start = if name.starts_with(b"/") { b"" } else { dir };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in start
        .split(|byte| *byte == b'/')
        .chain(name.split(|byte| *byte == b'/'))
    {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
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
