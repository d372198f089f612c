//! Scratch disks: sparse files with an empty ext4 that takes a pod's writes.
//!
//! No journal: a scratch disk is thrown away with its machine, so nothing is ever replayed, and a journal would double
//! the writes. No checksums of metadata: the guest's kernel computes them, and where it is interpreted that is dear.
//! Formatting happens once for each size; pods get a sparse copy of that template.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{FlockOperation, SeekFrom, copy_file_range, flock, seek, statvfs};
use rustix::io::{Errno, retry_on_intr};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::command::tool;

/// Smallest scratch disk: below that, ext4 has no room for files.
pub const MIN_BYTES: u64 = 16 << 20;
/// Largest scratch disk.
pub const MAX_BYTES: u64 = 16 << 40;
const BLOCK_BYTES: u64 = 4096;
/// Changes with the options below: templates of other versions are not used.
const VERSION: u32 = 3;
/// More than what `mke2fs` writes into an empty file system and its sparse copy.
const TEMPLATE_BYTES: u64 = 8 << 20;
/// Beginning of the name of a template that is being made.
const DRAFT: &str = "draft-";
const UUID: &str = "5d6e4b0e-6873-4b6b-8f5c-736372617463";
/// Block groups whose maps lie together. The kernel reads ahead the maps of eight times as many before it gives out the
/// first block, and makes an index of each.
const FLEX_GROUPS: &str = "2";
/// Every feature by name, so that the distribution's mke2fs.conf has no say.
const FEATURES: &str = "none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,64bit";

/// Why there is no scratch disk.
#[derive(Debug, Error)]
pub enum ScratchError {
    /// A size that makes no sense.
    #[error("scratch disk of {0} bytes is not between {MIN_BYTES} and {MAX_BYTES}")]
    Size(u64),
    /// A file cannot be made.
    #[error("scratch disk: cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file system of the templates is full.
    #[error(
        "no space left in {path}: {free} bytes are free, {TEMPLATE_BYTES} are needed (free some, or move the state directory)"
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Free bytes.
        free: u64,
    },
    /// `mke2fs` is missing or failed.
    #[error("mke2fs {0}")]
    Mkfs(String),
}

/// Makes a scratch disk of `size_bytes` (rounded up to whole blocks) at `path`, which must not exist, from a template
/// below `templates` (a directory on the same file system, made when missing).
///
/// # Errors
/// The size is out of range, `mke2fs` is missing or a file cannot be written; nothing is left at `path` then.
pub fn create(templates: &Path, path: &Path, size_bytes: u64) -> Result<File, ScratchError> {
    if !(MIN_BYTES..=MAX_BYTES).contains(&size_bytes) {
        return Err(ScratchError::Size(size_bytes));
    }
    let size = size_bytes.next_multiple_of(BLOCK_BYTES);
    let template = template(templates, size)?;
    let mut options = File::options();
    let disk = options
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let disk = disk.map_err(failed("make", path))?;
    match copy_sparse(&template, &disk, size) {
        Ok(()) => Ok(disk),
        Err(error) => {
            let _ = fs::remove_file(path);
            Err(failed("write", path)(error))
        }
    }
}

fn template(dir: &Path, size: u64) -> Result<File, ScratchError> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.map_err(failed("make", dir))?;
    let path = dir.join(format!("ext4-{VERSION}-{size}"));
    match File::open(&path) {
        Ok(file) if file.metadata().is_ok_and(|about| about.size() == size) => return Ok(file),
        _ => {}
    }
    remove_drafts(dir)?;
    enough_space(dir)?;
    // Whoever is first wins: all make the same bytes, and a rename replaces whole files.
    let draft = draft(dir)?;
    draft
        .as_file()
        .set_len(size)
        .map_err(failed("resize", draft.path()))?;
    format(draft.path())?;
    let file = draft
        .persist(&path)
        .map_err(|error| failed("rename", &path)(error.error))?;
    file.set_permissions(Permissions::from_mode(0o400))
        .map_err(failed("protect", &path))?;
    File::open(&path).map_err(failed("open", &path))
}

/// Asked before: `mke2fs` names neither the place nor the size.
fn enough_space(dir: &Path) -> Result<(), ScratchError> {
    let about = statvfs(dir).map_err(|error| failed("look at", dir)(error.into()))?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    if free < TEMPLATE_BYTES {
        let path = dir.to_owned();
        return Err(ScratchError::DiskFull { path, free });
    }
    Ok(())
}

/// A file that is locked as long as its maker lives.
fn draft(dir: &Path) -> Result<NamedTempFile, ScratchError> {
    loop {
        let draft = tempfile::Builder::new().prefix(DRAFT).tempfile_in(dir);
        let draft = draft.map_err(failed("make a file in", dir))?;
        let locked = retry_on_intr(|| flock(draft.as_file(), FlockOperation::LockExclusive));
        locked.map_err(|error| failed("lock", draft.path())(error.into()))?;
        // Somebody who removes drafts may have been faster than the lock.
        if draft.path().exists() {
            return Ok(draft);
        }
    }
}

/// Removes what makers of templates left that were killed; that there is no directory is no error.
///
/// # Errors
/// The directory cannot be read.
pub fn remove_drafts(dir: &Path) -> Result<(), ScratchError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed("list", dir))?,
    };
    for found in entries {
        let path = found.map_err(failed("list", dir))?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if !name.starts_with(DRAFT.as_bytes()) {
            continue;
        }
        let free = File::open(&path)
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
        if free {
            // Already gone: another one removes them too.
            let _ = fs::remove_file(&path);
        }
    }
    Ok(())
}

fn format(path: &Path) -> Result<(), ScratchError> {
    let child = tool("mke2fs")
        .args([
            "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-U", UUID,
        ])
        .args(["-O", FEATURES, "-G", FLEX_GROUPS])
        .args([
            "-E",
            &format!("root_owner=0:0,packed_meta_blocks=1,hash_seed={UUID}"),
        ])
        .arg(path)
        .env("MKE2FS_SYNC", "0")
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let problem = "is not installed (apt-get install e2fsprogs)";
            return Err(ScratchError::Mkfs(problem.to_owned()));
        }
        Err(error) => return Err(ScratchError::Mkfs(format!("cannot be run: {error}"))),
    };
    let mut message = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let heard = stderr.read_to_string(&mut message);
        heard.map_err(|error| ScratchError::Mkfs(format!("cannot be heard: {error}")))?;
    }
    let status = child.wait();
    let status = status.map_err(|error| ScratchError::Mkfs(format!("is lost: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let line = message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no message");
    Err(ScratchError::Mkfs(format!("failed ({status}): {line}")))
}

/// Copies what is not a hole.
fn copy_sparse(from: &File, to: &File, size: u64) -> io::Result<()> {
    to.set_len(size)?;
    let mut at = 0;
    loop {
        let start = match seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        at = seek(from, SeekFrom::Hole(start))?;
        let (mut read_at, mut write_at) = (start, start);
        while read_at < at {
            let left = usize::try_from(at - read_at).unwrap_or(usize::MAX);
            let copied = copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), left)?;
            if copied == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ScratchError {
    let path = path.to_owned();
    move |source| ScratchError::Io {
        action,
        path: path.clone(),
        source,
    }
}
