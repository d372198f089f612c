//! `/etc/passwd` and `/etc/group` of a tree, read below its root whatever links lie on the way.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::super::error::ImageError;
use super::super::types::Accounts;

/// Largest file that is taken: some ten thousand users.
const MAX_BYTES: u64 = 1 << 20;

/// Reads both; a file that is not there is empty.
pub(in super::super) fn read(root: impl AsFd) -> Result<Accounts, ImageError> {
    let root = root.as_fd();
    Ok(Accounts {
        passwd: file(root, "etc/passwd")?,
        group: file(root, "etc/group")?,
    })
}

fn file(root: impl AsFd, name: &'static str) -> Result<String, ImageError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let Ok(file) = openat2(root, name, flags, Mode::empty(), resolve) else {
        return Ok(String::new());
    };
    let file = File::from(file);
    let unusable = |reason: String| ImageError::Accounts { file: name, reason };
    let about = file
        .metadata()
        .map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if !about.is_file() {
        return Ok(String::new());
    }
    if about.len() > MAX_BYTES {
        return Err(unusable(format!(
            "has {} bytes, more than {MAX_BYTES}",
            about.len()
        )));
    }
    let mut content = Vec::new();
    let read = file.take(MAX_BYTES).read_to_end(&mut content);
    read.map_err(|error| unusable(format!("cannot be read: {error}")))?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}
