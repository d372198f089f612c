//! Files and directories: the VMM, what machines boot from, and room for what they write.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::statvfs;
use sha2::{Digest, Sha256};

use super::report::{Artefact, Check};
use super::tools::executable;

/// Less free space than this is soon too little.
const LOW_BYTES: u64 = 2 << 30;
/// With less than this no image can be made.
const LEAST_BYTES: u64 = 64 << 20;

pub(super) fn vmm(path: &Path) -> Check {
    let shown = path.display().to_string();
    if executable(path) {
        return Check::ok("vmm", shown);
    }
    let found = if path.exists() {
        "is not executable"
    } else {
        "is missing"
    };
    Check::fail(
        "vmm",
        format!("{shown} {found}"),
        "build it: cargo xtask build",
    )
}

/// Whether a file is there and is the one that was built.
pub(super) fn artefact(artefact: &Artefact) -> Check {
    let Artefact { name, path, sha256 } = artefact;
    let (check, shown) = (name.replace(' ', "-"), path.display());
    let rebuild = format!("build the {name} again");
    let found = match digest(path) {
        Ok(found) => found,
        Err(error) => return Check::fail(&check, format!("{shown}: {error}"), rebuild),
    };
    let short = found.get(..12).unwrap_or_default();
    match sha256 {
        Some(expected) if *expected == found => Check::ok(&check, format!("{shown} ({short})")),
        Some(expected) => {
            let problem = format!("{shown} has SHA-256 {found}, recorded is {expected}");
            Check::fail(&check, problem, rebuild)
        }
        None => Check::fail(&check, format!("{shown} has no recorded SHA-256"), rebuild),
    }
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash)?;
    Ok(hex::encode(hash.finalize()))
}

/// Free space where a directory is, or will be made.
pub(super) fn space(name: &str, dir: &Path) -> Check {
    let there = dir
        .ancestors()
        .find(|dir| dir.exists())
        .unwrap_or_else(|| Path::new("/"));
    if !there.is_dir() {
        let problem = format!("{} is no directory", there.display());
        return Check::fail(name, problem, "name another directory in the configuration");
    }
    match statvfs(there) {
        Ok(about) => space_check(name, dir, about.f_bavail.saturating_mul(about.f_frsize)),
        Err(error) => {
            let problem = format!("{}: {error}", there.display());
            Check::fail(name, problem, "name another directory in the configuration")
        }
    }
}

/// Whether so much free space will do.
pub(super) fn space_check(name: &str, dir: &Path, free: u64) -> Check {
    let found = format!("{}, {} MiB free", dir.display(), free >> 20);
    let fix = "free some space, or name a directory on another disk in the configuration";
    match free {
        ..LEAST_BYTES => Check::fail(name, found, fix),
        LEAST_BYTES..LOW_BYTES => Check::warn(name, found, fix),
        _ => Check::ok(name, found),
    }
}
