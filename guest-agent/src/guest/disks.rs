//! Finds virtio disks by the serial that the host gave them.
//!
//! A slot is there from boot on and has no capacity, or no block device at all, until something is attached to it. The
//! host calls once the attach is done, but the guest's driver may still be at work: then the kernel tells when to look
//! again.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::time::timeout;

use super::disk_news::DiskNews;

/// Longest serial of a virtio disk (virtio 1.2, section 5.2.6.1).
const MAX_SERIAL_BYTES: usize = 20;

/// A capacity change is work of one kernel thread; an interpreted guest under load needs seconds for it, not minutes.
const ATTACH_LIMIT: Duration = Duration::from_secs(120);

/// A checked disk serial.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Serial(String);

/// Why there is no such disk.
#[derive(Debug, Error)]
pub(crate) enum DiskError {
    /// Not a serial.
    #[error("invalid disk serial {0:?}")]
    InvalidSerial(String),
    /// Nothing with this serial has a capacity.
    #[error("no disk has serial {serial} (found: {found})")]
    Missing {
        /// The one asked for.
        serial: Serial,
        /// Those that are there.
        found: String,
    },
    /// The kernel's tables or log cannot be read.
    #[error("look for disk {0}")]
    Io(Serial, #[source] io::Error),
}

impl Serial {
    /// Checks a serial: it becomes part of paths.
    pub(crate) fn parse(text: &str) -> Result<Self, DiskError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let valid = (1..=MAX_SERIAL_BYTES).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('.');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(DiskError::InvalidSerial(text.to_owned()))
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The device node of the disk with this serial.
pub(crate) async fn find_disk(serial: &Serial) -> Result<PathBuf, DiskError> {
    let io = |error| DiskError::Io(serial.clone(), error);
    let block = Path::new("/sys/block");
    if let Some(node) = usable(block, serial).map_err(io)? {
        return Ok(node);
    }
    // Begun before the second look, so that no change falls between the two.
    let news = DiskNews::listen().map_err(io)?;
    let waited = timeout(ATTACH_LIMIT, async {
        loop {
            if let Some(node) = usable(block, serial)? {
                return Ok(node);
            }
            news.next().await?;
        }
    });
    match waited.await {
        Ok(found) => found.map_err(io),
        Err(_elapsed) => Err(DiskError::Missing {
            serial: serial.clone(),
            found: names(&look(block, serial).map_err(io)?),
        }),
    }
}

/// The disk's node, once it can be opened: the files of a disk are there a little earlier than the disk.
fn usable(block: &Path, serial: &Serial) -> io::Result<Option<PathBuf>> {
    let Some(node) = look(block, serial)?.remove(&serial.0) else {
        return Ok(None);
    };
    match File::open(&node) {
        Ok(_) => Ok(Some(node)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

fn names(disks: &BTreeMap<String, PathBuf>) -> String {
    if disks.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = disks.keys().map(String::as_str).collect();
    names.join(", ")
}

/// Serials and nodes of the disks that have a capacity, up to the wanted one. To read a serial asks the device, so
/// empty slots are passed over.
fn look(block: &Path, wanted: &Serial) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut disks = BTreeMap::new();
    for entry in fs::read_dir(block)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b"vd") {
            continue;
        }
        let directory = block.join(&name);
        // A disk may go while it is looked at.
        let Some(size) = read(&directory.join("size"))? else {
            continue;
        };
        if size.trim() == "0" {
            continue;
        }
        let Some(serial) = read(&directory.join("serial"))? else {
            continue;
        };
        let serial = serial.trim_matches(['\0', '\n', ' ']);
        disks.insert(serial.to_owned(), Path::new("/dev").join(&name));
        if serial == wanted.0 {
            break;
        }
    }
    Ok(disks)
}

/// An attribute; none when the disk is gone, or too young to have it.
fn read(attribute: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(attribute) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
