//! Devices, and the paths that container engines hide or protect.

use std::{
    fs::{self, Metadata, OpenOptions},
    io::Read as _,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
};

use rustix::fs::{OFlags, major, minor};
use serde_json::{Map, Value};

use super::{process, text};

/// What engines mask, what they make read-only, and what the comparison's containers hide.
const PATHS: [&str; 22] = [
    "/etc",
    "/etc/group",
    "/etc/passwd",
    "/home/ann",
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/sys",
    "/proc/sys/kernel/hostname",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/tmp",
];

/// Every entry of /dev and what opening it gives.
pub(super) fn devices() -> Map<String, Value> {
    let mut nodes = entries("/dev");
    for (name, about) in &mut nodes {
        let path = format!("/dev/{name}");
        let special = fs::metadata(&path).is_ok_and(|about| {
            about.file_type().is_char_device() || about.file_type().is_block_device()
        });
        // The terminals have facts of their own, and opening /dev/ptmx makes one.
        if special
            && !["console", "tty", "ptmx"].contains(&name.as_str())
            && !name.starts_with("std")
            && let Value::String(about) = about
        {
            let opened = |read: bool| {
                let mut options = OpenOptions::new();
                options.read(read).write(!read);
                options.custom_flags(
                    i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0),
                );
                text::outcome(options.open(&path))
            };
            about.push_str(&format!(", read {}, write {}", opened(true), opened(false)));
        }
    }
    nodes
}

/// The entries of a directory: kind, mode and owner.
pub(super) fn entries(dir: &str) -> Map<String, Value> {
    let list = match fs::read_dir(dir) {
        Ok(list) => list,
        Err(cause) => {
            let name = "(unreadable)".to_owned();
            return Map::from_iter([(name, text::error(&cause).into())]);
        }
    };
    list.filter_map(Result::ok)
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let about = match entry.metadata() {
                Ok(about) if about.is_symlink() => {
                    format!("-> {}", process::link(&entry.path().display().to_string()))
                }
                Ok(about) => describe(&about),
                Err(cause) => text::error(&cause),
            };
            (name, about.into())
        })
        .collect()
}

fn describe(about: &Metadata) -> String {
    let kind = about.file_type();
    let kind = if kind.is_dir() {
        "directory".to_owned()
    } else if kind.is_char_device() {
        format!("c {}:{}", major(about.rdev()), minor(about.rdev()))
    } else if kind.is_block_device() {
        format!("b {}:{}", major(about.rdev()), minor(about.rdev()))
    } else if kind.is_file() {
        "file".to_owned()
    } else {
        "other".to_owned()
    };
    format!(
        "{kind} {:04o} {}:{}",
        about.mode() & 0o7777,
        about.uid(),
        about.gid()
    )
}

/// What each of [`PATHS`] is, holds and takes.
pub(super) fn paths() -> Map<String, Value> {
    let look = |path: &str| match fs::metadata(path) {
        Err(cause) => text::error(&cause),
        Ok(about) if about.is_dir() => {
            let held = match fs::read_dir(path) {
                Ok(mut list) => if list.next().is_none() {
                    "empty"
                } else {
                    "not empty"
                }
                .to_owned(),
                Err(cause) => text::error(&cause),
            };
            format!("{}, {held}", describe(&about))
        }
        Ok(about) => format!(
            "{}, {}, write {}",
            describe(&about),
            first_byte(path),
            writable(path)
        ),
    };
    PATHS
        .iter()
        .map(|path| ((*path).to_owned(), look(path).into()))
        .collect()
}

fn first_byte(path: &str) -> String {
    match fs::File::open(path).and_then(|mut file| file.read(&mut [0])) {
        Ok(0) => "empty".to_owned(),
        Ok(_) => "not empty".to_owned(),
        Err(cause) => text::error(&cause),
    }
}

/// Opened, never written to.
fn writable(path: &str) -> String {
    text::outcome(OpenOptions::new().write(true).open(path))
}
