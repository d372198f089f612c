//! Owner, mode, extended attributes and times of what was just made.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, futimens, lsetxattr, utimensat,
};

use super::entry::Attributes;

/// Times of a file: both are the modification time, as nothing else is kept.
pub(super) fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: i64::from(nanos),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Applies everything to an open file or directory. The order matters: a change of owner clears set-user-id bits and
/// file capabilities.
pub(super) fn apply_open(file: impl AsFd, attributes: &Attributes) -> io::Result<()> {
    let file = file.as_fd();
    fchown(
        file,
        Some(Uid::from_raw(attributes.uid)),
        Some(Gid::from_raw(attributes.gid)),
    )?;
    fchmod(file, Mode::from_raw_mode(attributes.mode))?;
    for (name, value) in &attributes.xattrs {
        fsetxattr(file, name.as_os_str(), value, XattrFlags::empty())?;
    }
    futimens(file, &times(attributes.mtime))?;
    Ok(())
}

/// Whether a mode can be set by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModeBits {
    /// A pipe or device.
    Has,
    /// A symbolic link has none of its own.
    None,
}

/// Applies everything to something that cannot be opened, by its name in an open directory. The name was created by
/// us a moment ago in a directory that only we can reach, so it still is what it was.
pub(super) fn apply_named(
    dir: impl AsFd,
    name: &OsStr,
    attributes: &Attributes,
    bits: ModeBits,
) -> io::Result<()> {
    let dir = dir.as_fd();
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if bits == ModeBits::Has {
        chmodat(
            dir,
            name,
            Mode::from_raw_mode(attributes.mode),
            AtFlags::empty(),
        )?;
    }
    for (key, value) in &attributes.xattrs {
        lsetxattr(
            below(dir, name),
            key.as_os_str(),
            value,
            XattrFlags::empty(),
        )?;
    }
    utimensat(
        dir,
        name,
        &times(attributes.mtime),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(())
}

/// A path to a name in an open directory, for calls that take no directory.
fn below(dir: impl AsFd, name: &OsStr) -> PathBuf {
    let number = dir.as_fd().as_raw_fd();
    Path::new("/proc/self/fd")
        .join(number.to_string())
        .join(name)
}
