//! Making a scratch disk: a sparse file with an empty ext4.

use std::{fs::File, io, path::Path, process::Command};

/// Makes the file; what it takes of the host's disk grows with what the guest writes, up to `bytes`.
pub(super) fn create(path: &Path, bytes: u64) -> io::Result<()> {
    File::options()
        .write(true)
        .create_new(true)
        .open(path)?
        .set_len(bytes)?;
    // Nothing of the guest survives a crash of the host, so the disk needs no journal.
    let output = Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-O", "^has_journal"])
        .args(["-E", "lazy_itable_init=1,nodiscard", "-m", "0"])
        .arg(path)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim().lines().last().unwrap_or_default();
    Err(io::Error::other(format!(
        "mke2fs: {}: {words}",
        output.status
    )))
}
