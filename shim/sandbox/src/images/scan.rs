//! Whether a directory is still what an image was made from.
//!
//! A directory has no digest, so a scan of all its entries stands for it: inode, change time, size, owner and mode of
//! each. On file systems that keep change times, nothing in it can change without changing that, with two exceptions:
//! two changes within one tick of the clock (so a tree that changed in the last two seconds is not cached), and a
//! program that keeps writing through a shared mapping (docs/images.md).

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, statat};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::types::Limits;

/// As deep as unpacked layers may be.
const MAX_DEPTH: usize = 256;
/// Linux takes one byte more, `mkfs.erofs` 1.5 (Debian 12) does not.
const MAX_NAME_BYTES: usize = 254;
/// Changes younger than this may share their time with a later one.
const SETTLED_SECONDS: i64 = 2;
/// File systems whose change times the kernel sets (magic numbers of statfs): ext4, XFS, btrfs, tmpfs.
const KEEPING: [u64; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];

/// Why a directory cannot become an image.
#[derive(Debug, Error)]
pub enum RootFsError {
    /// Something in it cannot be read.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another file system is mounted in it.
    #[error("{0} is a mount point (unmount it: an image is made from one file system)")]
    Mount(PathBuf),
    /// Too deep, too many or too large.
    #[error("{0}")]
    Excess(String),
    /// It changed while it was read.
    #[error("changed while the image was made from it")]
    Changed,
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// 64 hexadecimal digits that stand for the tree.
    pub(super) key: String,
    /// Whether the key can be relied on later.
    pub(super) settled: bool,
    /// Sum of the sizes of all files.
    pub(super) bytes: u64,
}

/// Looks at every entry.
pub(super) fn scan(root: &Path, limits: Limits) -> Result<Scan, RootFsError> {
    let io = |source: rustix::io::Errno| RootFsError::Io {
        action: "open",
        path: root.to_owned(),
        source: source.into(),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = openat(CWD, root, flags, Mode::empty()).map_err(io)?;
    let about = fstat(&dir).map_err(io)?;
    let system = fstatfs(&dir).map_err(io)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    let mut walk = Walk {
        root,
        hash: Sha256::new(),
        device: about.st_dev,
        limits,
        entries: 0,
        bytes: 0,
        newest: about.st_ctime,
    };
    walk.hash
        .update(format!("rootfs 1 {:?} {}\n", system.f_fsid, about.st_dev));
    walk.record(Path::new(""), &about);
    walk.directory(&dir, Path::new(""), 0)?;
    let keeps = u64::try_from(system.f_type).is_ok_and(|kind| KEEPING.contains(&kind));
    let settled = walk.newest.saturating_add(SETTLED_SECONDS) < i64::try_from(now).unwrap_or(0);
    Ok(Scan {
        key: hex::encode(walk.hash.finalize()),
        settled: keeps && settled,
        bytes: walk.bytes,
    })
}

struct Walk<'a> {
    root: &'a Path,
    hash: Sha256,
    device: u64,
    limits: Limits,
    entries: u64,
    bytes: u64,
    newest: i64,
}

impl Walk<'_> {
    fn directory(&mut self, dir: &OwnedFd, path: &Path, depth: usize) -> Result<(), RootFsError> {
        if depth > MAX_DEPTH {
            let problem = format!("{path:?} lies more than {MAX_DEPTH} directories deep");
            return Err(RootFsError::Excess(problem));
        }
        for name in self.names(dir, path)? {
            let below = path.join(&name);
            if name.len() > MAX_NAME_BYTES {
                let problem = format!("{below:?} has a name of more than {MAX_NAME_BYTES} bytes");
                return Err(RootFsError::Excess(problem));
            }
            let about = statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW);
            let about = about.map_err(self.failed("look at", &below))?;
            if about.st_dev != self.device {
                return Err(RootFsError::Mount(self.root.join(below)));
            }
            self.record(&below, &about);
            self.limit()?;
            if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let next = openat(dir, &name, flags, Mode::empty());
                self.directory(
                    &next.map_err(self.failed("open", &below))?,
                    &below,
                    depth + 1,
                )?;
            }
        }
        Ok(())
    }

    fn names(&self, dir: &OwnedFd, path: &Path) -> Result<Vec<std::ffi::OsString>, RootFsError> {
        let mut names = Vec::new();
        for child in Dir::read_from(dir).map_err(self.failed("list", path))? {
            let child = child.map_err(self.failed("list", path))?;
            let name = child.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn record(&mut self, path: &Path, about: &Stat) {
        self.entries += 1;
        self.newest = self.newest.max(about.st_ctime);
        if FileType::from_raw_mode(about.st_mode) == FileType::RegularFile {
            self.bytes = self
                .bytes
                .saturating_add(u64::try_from(about.st_size).unwrap_or(0));
        }
        let path = path.as_os_str().as_bytes();
        let numbers = format!(
            "{} {} {}.{} {}.{} {} {:o} {} {} {}\n",
            path.len(),
            about.st_ino,
            about.st_ctime,
            about.st_ctime_nsec,
            about.st_mtime,
            about.st_mtime_nsec,
            about.st_size,
            about.st_mode,
            about.st_uid,
            about.st_gid,
            about.st_rdev,
        );
        self.hash.update(numbers);
        self.hash.update(path);
    }

    fn limit(&self) -> Result<(), RootFsError> {
        let Limits {
            max_entries,
            max_unpacked_bytes,
        } = self.limits;
        if self.entries > max_entries {
            return Err(RootFsError::Excess(format!(
                "has more than {max_entries} entries"
            )));
        }
        if self.bytes > max_unpacked_bytes {
            return Err(RootFsError::Excess(format!(
                "has more than {max_unpacked_bytes} bytes"
            )));
        }
        Ok(())
    }

    fn failed(
        &self,
        action: &'static str,
        path: &Path,
    ) -> impl Fn(rustix::io::Errno) -> RootFsError + use<> {
        let path = self.root.join(path);
        move |source| RootFsError::Io {
            action,
            path: path.clone(),
            source: source.into(),
        }
    }
}
