//! The "newc" archive format (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's source): ASCII
//! headers, names and contents padded to four bytes. Owner root, time 0: equal content gives equal bytes.

use anyhow::{Context, Result};

const REGULAR: u32 = 0o100_000;

/// Bytes of a header before the name.
const HEADER_BYTES: usize = 110;

/// Contents start on a page, so that the guest's kernel can take the pages as they are (patch 0014).
const PAGE_BYTES: usize = 4096;

/// An archive under construction.
#[derive(Debug)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    /// An empty archive.
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            inode: 0,
        }
    }

    /// Adds a regular file.
    pub(crate) fn file(&mut self, name: &str, permissions: u32, content: &[u8]) -> Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len())
            .with_context(|| format!("{name}: {} bytes do not fit a cpio", content.len()))?;
        // The name's own end is the only room that the format has: it may have more than one NUL.
        let unpadded = self.bytes.len() + HEADER_BYTES + name.len() + 1;
        let name_end = 1 + unpadded.next_multiple_of(PAGE_BYTES) - unpadded;
        self.header(name, name_end, REGULAR | permissions, size)?;
        self.bytes.extend_from_slice(content);
        self.pad();
        Ok(())
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.inode = 0;
        self.header("TRAILER!!!", 1, 0, 0)?;
        Ok(self.bytes)
    }

    fn header(&mut self, name: &str, name_end: usize, mode: u32, size: u32) -> Result<()> {
        let name_size = u32::try_from(name.len() + name_end).context("a name of 4 GiB")?;
        self.bytes.extend_from_slice(b"070701");
        // ino, mode, uid, gid, nlink, mtime, filesize, device and node numbers, namesize, check
        for field in [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0] {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.resize(self.bytes.len() + name_end, 0);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn header_has_the_thirteen_fields_in_order() {
        let mut archive = Archive::new();
        archive.file("init", 0o755, b"abcde").unwrap();
        let bytes = archive.finish().unwrap();
        let header = "070701\
            00000001000081ed00000000000000000000000100000000000000050000000000000000\
            000000000000000000000f9200000000";
        assert_eq!(&bytes[..110], header.as_bytes());
        assert_eq!(&bytes[110..115], b"init\0");
        assert!(bytes[115..4096].iter().all(|byte| *byte == 0));
        assert_eq!(&bytes[4096..4104], b"abcde\0\0\0");
    }

    #[test]
    fn every_header_starts_on_a_multiple_of_four() {
        let mut archive = Archive::new();
        for name in ["a", "ab", "abc", "abcd", "abcde"] {
            archive.file(name, 0o644, name.as_bytes()).unwrap();
        }
        let bytes = archive.finish().unwrap();
        let starts: Vec<usize> = (0..bytes.len() - 5)
            .filter(|&at| &bytes[at..at + 6] == b"070701")
            .collect();
        assert_eq!(starts.len(), 6);
        assert!(starts.iter().all(|at| at % 4 == 0), "{starts:?}");
        assert_eq!(bytes.len() % 4, 0);
    }
}
