//! `mkfs.erofs`: a tree becomes one image, the same bytes for the same tree.
//!
//! Uncompressed: the guest maps pages of the host's page cache without unpacking, and a guest kernel that is
//! interpreted could not afford to. Without a superblock checksum for the same reason: nobody but the cache writes it.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::{ChildStderr, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use super::super::cache::{IMAGE_NAME, failed};
use super::super::error::ImageError;
use super::super::types::Observer;
use super::command::tool;

/// `build_time` and `build_time_nsec` of the superblock (EROFS on-disk format): the only trace of when it was made.
const BUILD_TIME_AT: u64 = 1024 + 24;
const BUILD_TIME_BYTES: usize = 12;
const BLOCK_BYTES: u64 = 4096;
const UUID: &str = "00000000-0000-0000-0000-000000000000";
/// As much of the tool's messages as is read.
const MAX_MESSAGE_BYTES: usize = 64 << 10;
/// How often it is looked whether the work was called off.
const LOOK_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};

/// Makes `IMAGE_NAME` in `work` from `tree` (absolute, or relative to `work`) and gives it open read-only with its size.
/// The observer may call it off at any time.
pub(in super::super) fn make(
    work: &Path,
    tree: &Path,
    observer: &dyn Observer,
) -> Result<(File, u64), ImageError> {
    run(work, tree, observer)?;
    let path = work.join(IMAGE_NAME);
    let image = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(failed("open", &path))?;
    image
        .write_all_at(&[0; BUILD_TIME_BYTES], BUILD_TIME_AT)
        .map_err(failed("write", &path))?;
    let size = image.metadata().map_err(failed("look at", &path))?.len();
    let padded = size.next_multiple_of(BLOCK_BYTES);
    image.set_len(padded).map_err(failed("resize", &path))?;
    image
        .set_permissions(Permissions::from_mode(0o400))
        .map_err(failed("protect", &path))?;
    image.sync_all().map_err(failed("sync", &path))?;
    Ok((File::open(&path).map_err(failed("open", &path))?, padded))
}

fn run(work: &Path, tree: &Path, observer: &dyn Observer) -> Result<(), ImageError> {
    let child = tool("mkfs.erofs")
        .args([
            "--quiet",
            "--preserve-mtime",
            "-Enosbcrc,force-inode-extended",
            "-U",
            UUID,
        ])
        .arg(IMAGE_NAME)
        .arg(tree)
        .current_dir(work)
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let problem = "is not installed (apt-get install erofs-utils)";
            return Err(ImageError::Mkfs(problem.to_owned()));
        }
        Err(error) => return Err(ImageError::Mkfs(format!("cannot be run: {error}"))),
    };
    let heard = child
        .stderr
        .take()
        .map_or_else(|| Ok(Vec::new()), |stderr| listen(stderr, observer));
    if heard.is_err() {
        child.kill().ok();
    }
    let status = child.wait();
    let message = heard?;
    let status = status.map_err(|error| ImageError::Mkfs(format!("is lost: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&message);
    let line = message
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("no message");
    Err(ImageError::Mkfs(format!("failed ({status}): {line}")))
}

/// The tool's messages, until it closes them: at its end.
fn listen(mut stderr: ChildStderr, observer: &dyn Observer) -> Result<Vec<u8>, ImageError> {
    let lost = |error: io::Error| ImageError::Mkfs(format!("cannot be heard: {error}"));
    let mut message = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if observer.cancelled() {
            return Err(ImageError::Cancelled);
        }
        let mut ready = [PollFd::new(&stderr, PollFlags::IN)];
        match retry_on_intr(|| poll(&mut ready, Some(&LOOK_EVERY))) {
            Ok(0) => continue,
            Ok(_) => {}
            Err(error) => return Err(lost(error.into())),
        }
        let count = stderr.read(&mut chunk).map_err(lost)?;
        if count == 0 {
            return Ok(message);
        }
        // The rest is thrown away, but read: a full pipe would stop the tool.
        let room = MAX_MESSAGE_BYTES.saturating_sub(message.len()).min(count);
        message.extend_from_slice(chunk.get(..room).unwrap_or_default());
    }
}
