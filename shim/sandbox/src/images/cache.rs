//! The cache on disk: one directory an image, made complete elsewhere and renamed into place.
//!
//! `v1/KEY/{image.erofs,info.json}` are finished images, `locks/KEY` exist while one is built, `staging/*` hold work in
//! progress. Every staging directory is locked by its maker: one that can be locked belongs to nobody and is removed.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::error::ImageError;
use super::types::Accounts;

/// Version of the layout of an entry and of the way in which images are made; part of the path.
const VERSION: &str = "v1";
/// How often it is looked whether somebody else's build has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Name of the image in an entry and in a staging directory.
pub(super) const IMAGE_NAME: &str = "image.erofs";
const INFO_NAME: &str = "info.json";
/// Largest side file: two user data bases and some.
const MAX_INFO_BYTES: u64 = 16 << 20;
const EROFS_MAGIC_AT: u64 = 1024;
const EROFS_MAGIC: [u8; 4] = 0xe0f5_e1e2_u32.to_le_bytes();

/// What lies beside an image.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Info {
    /// Size of the image; another one means that the entry is broken.
    pub(super) size_bytes: u64,
    /// The image's user data base.
    pub(super) accounts: Accounts,
}

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Makes what is missing of the cache and removes what crashed builds left.
    pub(super) fn open(root: &Path) -> Result<Self, ImageError> {
        let cache = Self {
            root: root.to_owned(),
        };
        for name in [VERSION, "staging", "locks"] {
            let dir = root.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
            made.map_err(failed("make", &dir))?;
        }
        cache.remove_litter()?;
        Ok(cache)
    }

    /// Where the cache is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A finished image.
    pub(super) fn lookup(&self, key: &str) -> Option<(File, Info)> {
        let entry = self.entry(key);
        let mut image = File::open(entry.join(IMAGE_NAME)).ok()?;
        let mut text = String::new();
        let info = File::open(entry.join(INFO_NAME)).ok()?;
        info.take(MAX_INFO_BYTES).read_to_string(&mut text).ok()?;
        let info: Info = serde_json::from_str(&text).ok()?;
        let mut magic = [0; 4];
        image.seek(SeekFrom::Start(EROFS_MAGIC_AT)).ok()?;
        image.read_exact(&mut magic).ok()?;
        let whole = image.metadata().ok()?.len() == info.size_bytes && magic == EROFS_MAGIC;
        whole.then_some((image, info))
    }

    /// The right to build an image; `None` when somebody else has it.
    pub(super) fn try_lock(&self, key: &str) -> Result<Option<BuildLock>, ImageError> {
        let path = self.root.join("locks").join(key);
        loop {
            let mut options = File::options();
            let file = options
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path);
            let file = file.map_err(failed("open", &path))?;
            match flock_retrying(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(failed("lock", &path)(error.into())),
            }
            // The holder before us removed the file when it was done: then this lock is on nothing.
            if is_at(&file, &path) {
                return Ok(Some(BuildLock { path, _file: file }));
            }
        }
    }

    /// The right to build an image, once nobody else has it; `None` when called off before.
    pub(super) fn lock(
        &self,
        key: &str,
        called_off: &dyn Fn() -> bool,
    ) -> Result<Option<BuildLock>, ImageError> {
        loop {
            if let Some(lock) = self.try_lock(key)? {
                return Ok(Some(lock));
            }
            if called_off() {
                return Ok(None);
            }
            // A lock that is waited for in the kernel cannot be called off from another thread.
            thread::sleep(LOOK_EVERY);
        }
    }

    /// A private directory for work, on the file system of the cache.
    pub(super) fn staging(&self) -> Result<Staging, ImageError> {
        let parent = self.root.join("staging");
        loop {
            let dir = tempfile::Builder::new()
                .prefix("build-")
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(&parent)
                .map_err(failed("make a directory in", &parent))?;
            let file = File::open(dir.path()).map_err(failed("open", dir.path()))?;
            let locked = flock_retrying(&file, FlockOperation::LockExclusive);
            locked.map_err(|error| failed("lock", dir.path())(error.into()))?;
            // Somebody who removes litter may have been faster than the lock.
            if is_at(&file, dir.path()) {
                return Ok(Staging { dir, _file: file });
            }
        }
    }

    /// Puts a finished image in its place. `lock` is the right to do so.
    pub(super) fn commit(
        &self,
        key: &str,
        staging: &Staging,
        info: &Info,
        _lock: &BuildLock,
    ) -> Result<(), ImageError> {
        let (entry, parent) = (self.entry(key), self.root.join(VERSION));
        let ready = staging.path().join("entry");
        DirBuilder::new()
            .mode(0o700)
            .create(&ready)
            .map_err(failed("make", &ready))?;
        let image = ready.join(IMAGE_NAME);
        fs::rename(staging.path().join(IMAGE_NAME), &image).map_err(failed("rename", &image))?;
        let path = ready.join(INFO_NAME);
        let text =
            serde_json::to_vec(info).map_err(|error| failed("write", &path)(error.into()))?;
        fs::write(&path, text).map_err(failed("write", &path))?;
        for path in [&path, &image, &ready] {
            sync(path)?;
        }
        // An entry that is there now was found broken by lookup.
        match fs::remove_dir_all(&entry) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &entry)(error));
            }
            _ => {}
        }
        fs::rename(&ready, &entry).map_err(failed("rename", &entry))?;
        sync(&parent)
    }

    fn entry(&self, key: &str) -> PathBuf {
        self.root.join(VERSION).join(key)
    }

    fn remove_litter(&self) -> Result<(), ImageError> {
        let dir = self.root.join("staging");
        for found in fs::read_dir(&dir).map_err(failed("list", &dir))? {
            let path = found.map_err(failed("list", &dir))?.path();
            let Ok(file) = File::open(&path) else {
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("cannot remove what a crashed build left in {path:?}: {error}");
                }
                _ => {}
            }
        }
        self.remove_lock_files()
    }

    /// Of builders that were killed: whoever holds such a lock may remove its file, as [`BuildLock`] does.
    fn remove_lock_files(&self) -> Result<(), ImageError> {
        let dir = self.root.join("locks");
        for found in fs::read_dir(&dir).map_err(failed("list", &dir))? {
            let name = found.map_err(failed("list", &dir))?.file_name();
            if let Some(key) = name.to_str() {
                drop(self.try_lock(key)?);
            }
        }
        Ok(())
    }
}

/// The right to build one image, given back when dropped.
#[derive(Debug)]
pub(super) struct BuildLock {
    path: PathBuf,
    _file: File,
}

impl Drop for BuildLock {
    fn drop(&mut self) {
        // Still locked here: whoever waits sees that its file is gone and takes a new one.
        let _ = fs::remove_file(&self.path);
    }
}

/// A private directory for work; removed with all in it when dropped.
#[derive(Debug)]
pub(super) struct Staging {
    dir: TempDir,
    _file: File,
}

impl Staging {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Turns an I/O error into the cache's.
pub(super) fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ImageError {
    let path = path.to_owned();
    move |source| ImageError::Cache {
        action,
        path: path.clone(),
        source,
    }
}

fn sync(path: &Path) -> Result<(), ImageError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed("sync", path))
}

fn flock_retrying(file: &File, operation: FlockOperation) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}
