//! Finds virtio disks by the serial that the host gave them.
//!
//! A slot is there from boot on and has no capacity until something is attached to it. The host calls once the attach
//! is done, but the guest's driver may still be reading the new capacity: then the kernel's log tells when to look again.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::time::timeout;

use super::kernel_log::KernelLog;

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
    if let Some(node) = look(block, serial).map_err(io)?.get(&serial.0) {
        return Ok(node.clone());
    }
    // Opened before the second look, so that no change falls between the two.
    let log = KernelLog::at_end().map_err(io)?;
    let waited = timeout(ATTACH_LIMIT, async {
        loop {
            if let Some(node) = look(block, serial)?.get(&serial.0) {
                return Ok(node.clone());
            }
            log.news().await?;
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
        if fs::read_to_string(directory.join("size"))?.trim() == "0" {
            continue;
        }
        let serial = fs::read_to_string(directory.join("serial"))?;
        let serial = serial.trim_matches(['\0', '\n', ' ']);
        disks.insert(serial.to_owned(), Path::new("/dev").join(&name));
        if serial == wanted.0 {
            break;
        }
    }
    Ok(disks)
}

#[cfg(test)]
mod tests;
