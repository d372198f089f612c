//! Layers on their way: each in a file of its own that is filled from where an earlier attempt ended, and gets its name
//! when its digest is right. A lock on the unfinished file lets one process at a time fill it.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use rustix::fs::{FlockOperation, flock};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use super::super::blob::Hash;
use super::client::Client;
use super::error::RegistryError;

/// How often a broken transfer is taken up again.
const MAX_ATTEMPTS: u32 = 5;
/// A registry that gives less than this in the settings' time is as good as silent.
const LEAST_BYTES: u64 = 16 << 10;
/// Unfinished layers that nobody has touched for so long are given up.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A directory of layers.
#[derive(Clone, Debug)]
pub(in super::super) struct Blobs {
    dir: PathBuf,
}

/// A layer that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) digest: String,
    pub(super) size: u64,
}

/// An unfinished layer, locked.
struct Part {
    file: File,
    path: PathBuf,
    hash: Hash,
    at: u64,
}

impl Blobs {
    /// Makes the directory when it is missing, and gives up what nobody takes up again.
    pub(in super::super) fn open(root: &Path) -> io::Result<Self> {
        let dir = root.join("blobs");
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let blobs = Self { dir };
        blobs.remove_old()?;
        Ok(blobs)
    }

    /// Forgets a layer that is unpacked, or that was not what it should be.
    pub(in super::super) fn remove(&self, digest: &str) {
        if let Err(error) = fs::remove_file(self.finished_path(digest))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove layer {digest}: {error}");
        }
    }

    /// The layer, fetched if it is not here. `done` counts its bytes as they come.
    pub(super) async fn fetch(
        &self,
        client: &Client,
        wanted: &Wanted,
        done: &AtomicU64,
    ) -> Result<File, RegistryError> {
        loop {
            if let Some(file) = self.finished(wanted) {
                done.fetch_add(wanted.size, Ordering::Relaxed);
                return Ok(file);
            }
            let path = self.dir.join(format!("{}.part", name(&wanted.digest)));
            let file = locked(&path).await?;
            // Whoever had the lock before may have finished the layer or given it up.
            if !is_at(&file, &path) || self.finished(wanted).is_some() {
                continue;
            }
            let part = Part::resume(file, path, wanted).await?;
            return self.fill(client, wanted, part, done).await;
        }
    }

    async fn fill(
        &self,
        client: &Client,
        wanted: &Wanted,
        mut part: Part,
        done: &AtomicU64,
    ) -> Result<File, RegistryError> {
        let mut resumed = part.at > 0;
        done.fetch_add(part.at, Ordering::Relaxed);
        loop {
            part.complete(client, wanted, done).await?;
            let found = part.hash.clone().finish();
            if found == wanted.digest {
                break;
            }
            done.fetch_sub(part.at, Ordering::Relaxed);
            part.restart(wanted)?;
            if !std::mem::take(&mut resumed) {
                // The empty file stays: somebody else may wait for its lock.
                return Err(RegistryError::Digest {
                    host: client.transport.host(),
                    what: format!("blob {}", wanted.digest),
                    found,
                });
            }
        }
        let path = self.finished_path(&wanted.digest);
        part.file.sync_all().map_err(disk("sync", &part.path))?;
        fs::rename(&part.path, &path).map_err(disk("rename", &part.path))?;
        File::open(&path).map_err(disk("open", &path))
    }

    fn finished(&self, wanted: &Wanted) -> Option<File> {
        let file = File::open(self.finished_path(&wanted.digest)).ok()?;
        (file.metadata().ok()?.len() == wanted.size).then_some(file)
    }

    fn finished_path(&self, digest: &str) -> PathBuf {
        self.dir.join(name(digest))
    }

    fn remove_old(&self) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let modified = fs::metadata(&path).and_then(|about| about.modified());
            let old = modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > KEPT));
            let Some(file) = old.then(|| File::open(&path).ok()).flatten() else {
                continue;
            };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                drop(fs::remove_file(&path));
            }
        }
        Ok(())
    }
}

impl Part {
    /// Takes up what is there.
    async fn resume(file: File, path: PathBuf, wanted: &Wanted) -> Result<Self, RegistryError> {
        let length = file.metadata().map_err(disk("look at", &path))?.len();
        let mut part = Self {
            hash: algorithm(wanted)?,
            file,
            path,
            at: length,
        };
        if length > wanted.size {
            part.restart(wanted)?;
        }
        if part.at == 0 {
            return Ok(part);
        }
        let (path, shown) = (part.path.clone(), part.path.clone());
        let hashing = spawn_blocking(move || {
            let mut buffer = vec![0; 128 << 10];
            part.file.seek(SeekFrom::Start(0))?;
            loop {
                let count = part.file.read(&mut buffer)?;
                if count == 0 {
                    return Ok(part);
                }
                part.hash.update(buffer.get(..count).unwrap_or_default());
            }
        });
        let hashed = hashing.await.map_err(io::Error::other);
        hashed
            .map_err(disk("read", &path))?
            .map_err(disk("read", &shown))
    }

    fn restart(&mut self, wanted: &Wanted) -> Result<(), RegistryError> {
        self.file.set_len(0).map_err(disk("cut", &self.path))?;
        self.hash = algorithm(wanted)?;
        self.at = 0;
        Ok(())
    }

    /// Fetches what is missing, again when the connection breaks.
    async fn complete(
        &mut self,
        client: &Client,
        wanted: &Wanted,
        done: &AtomicU64,
    ) -> Result<(), RegistryError> {
        let mut broken = 0;
        while self.at < wanted.size {
            let outcome = match client.blob(&wanted.digest, self.at).await {
                Ok(response) => self.take(client, wanted, response, done).await,
                Err(error) => Err(error),
            };
            match outcome {
                Err(RegistryError::Unreachable { host, reason }) => {
                    broken += 1;
                    if broken >= MAX_ATTEMPTS {
                        return Err(RegistryError::Unreachable { host, reason });
                    }
                    sleep(Duration::from_millis(100 << broken)).await;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Writes one answer. A connection that ends too early is an error that may be tried again.
    async fn take(
        &mut self,
        client: &Client,
        wanted: &Wanted,
        mut response: Response,
        done: &AtomicU64,
    ) -> Result<(), RegistryError> {
        if response.status() != StatusCode::PARTIAL_CONTENT {
            // All of it again, or it has no such place.
            done.fetch_sub(self.at, Ordering::Relaxed);
            self.restart(wanted)?;
            if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(());
            }
        } else if !begins_at(&response, self.at) {
            let reason = format!("blob {}: another part than asked for", wanted.digest);
            return Err(client.transport.protocol(reason));
        }
        self.file
            .seek(SeekFrom::Start(self.at))
            .map_err(disk("write", &self.path))?;
        let window = client.transport.settings.timeout();
        let (mut end, mut came) = (Instant::now() + window, 0);
        loop {
            let chunk = match timeout_at(end, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) if self.at == wanted.size => return Ok(()),
                Ok(Ok(None)) => {
                    return Err(RegistryError::Unreachable {
                        host: client.transport.host(),
                        reason: format!(
                            "blob {} ends after {} of {} bytes",
                            wanted.digest, self.at, wanted.size
                        ),
                    });
                }
                Ok(Err(error)) => return Err(client.transport.unreachable(&error)),
                Err(_) if came >= LEAST_BYTES => {
                    (end, came) = (Instant::now() + window, 0);
                    continue;
                }
                Err(_) => return Err(client.transport.silent(&format!("blob {}", wanted.digest))),
            };
            let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if self.at.saturating_add(count) > wanted.size {
                self.restart(wanted)?;
                let (digest, size) = (&wanted.digest, wanted.size);
                let reason = format!("blob {digest} has more than its {size} bytes");
                return Err(client.transport.protocol(reason));
            }
            self.file
                .write_all(&chunk)
                .map_err(disk("write", &self.path))?;
            self.hash.update(&chunk);
            self.at += count;
            came += count;
            done.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// `Content-Range: bytes FROM-TO/SIZE`.
fn begins_at(response: &Response, from: u64) -> bool {
    let header = response.headers().get(CONTENT_RANGE);
    let text = header.and_then(|value| value.to_str().ok());
    let range = text.and_then(|text| text.trim().strip_prefix("bytes "));
    let first = range.and_then(|range| range.split_once('-')?.0.trim().parse().ok());
    first == Some(from)
}

fn algorithm(wanted: &Wanted) -> Result<Hash, RegistryError> {
    Hash::of(&wanted.digest).ok_or_else(|| RegistryError::Protocol {
        host: String::new(),
        reason: format!("digest {:?} is neither sha256 nor sha512", wanted.digest),
    })
}

/// A digest as a file's name.
fn name(digest: &str) -> String {
    digest.replace([':', '/'], "-")
}

async fn locked(path: &Path) -> Result<File, RegistryError> {
    let mut options = File::options();
    let file = options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path);
    let file = Arc::new(file.map_err(disk("open", path))?);
    let waiting = Arc::clone(&file);
    // On a thread of its own: another process may take its time.
    let waited = spawn_blocking(move || {
        rustix::io::retry_on_intr(|| flock(&*waiting, FlockOperation::LockExclusive))
    });
    let locked = waited.await.map_err(io::Error::other);
    locked
        .map_err(disk("lock", path))?
        .map_err(|error| disk("lock", path)(error.into()))?;
    Arc::try_unwrap(file)
        .or_else(|file| file.try_clone())
        .map_err(disk("lock", path))
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn disk(action: &'static str, path: &Path) -> impl Fn(io::Error) -> RegistryError + use<> {
    let path = path.display().to_string();
    move |source| RegistryError::Disk {
        action,
        path: path.clone(),
        source,
    }
}
