//! What the host's kernel must offer: tried where trying is harmless.

use std::fs;
use std::path::Path;

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, ResolveFlags, memfd_create, openat2};
use rustix::io::Errno;

use super::report::Check;

/// Namespaces that a VMM gets of its own.
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
/// A guest of the smallest shape.
const MIN_MEMORY_KIB: u64 = 256 << 10;

pub(super) fn checks() -> Vec<Check> {
    let missing: Vec<&str> = NAMESPACES
        .into_iter()
        .filter(|name| !Path::new("/proc/self/ns").join(name).exists())
        .collect();
    vec![namespaces(&missing), calls(&missing_calls())]
}

/// What missing namespaces mean.
pub(super) fn namespaces(missing: &[&str]) -> Check {
    if missing.is_empty() {
        return Check::ok("namespaces", NAMESPACES.join(", "));
    }
    let found = format!("{} missing in /proc/self/ns", missing.join(", "));
    Check::fail(
        "namespaces",
        found,
        "use a kernel with these namespaces, and mount /proc",
    )
}

fn missing_calls() -> Vec<(&'static str, Errno)> {
    let path = OFlags::PATH | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH;
    let tried = [
        (
            "memfd_create",
            memfd_create("husk-check", MemfdFlags::CLOEXEC).err(),
        ),
        ("eventfd", eventfd(0, EventfdFlags::CLOEXEC).err()),
        ("epoll", epoll::create(epoll::CreateFlags::CLOEXEC).err()),
        (
            "openat2",
            openat2(CWD, ".", path, Mode::empty(), beneath).err(),
        ),
    ];
    tried
        .into_iter()
        .filter_map(|(name, error)| Some((name, error?)))
        .collect()
}

fn calls(missing: &[(&str, Errno)]) -> Check {
    if missing.is_empty() {
        return Check::ok("system-calls", "memfd_create, eventfd, epoll, openat2");
    }
    let named = missing
        .iter()
        .map(|(name, error)| format!("{name}: {error}"));
    let found = named.collect::<Vec<_>>().join("; ");
    Check::fail(
        "system-calls",
        found,
        "use Linux 5.6 or newer, and a sandbox that allows these calls",
    )
}

pub(super) fn memory() -> Check {
    memory_check(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

/// Whether a guest of the smallest shape fits.
pub(super) fn memory_check(meminfo: &str) -> Check {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let Some(kib) = kib else {
        return Check::warn("memory", "free memory is not known", "mount /proc");
    };
    let found = format!("{} MiB available", kib >> 10);
    if kib < MIN_MEMORY_KIB {
        return Check::warn("memory", found, "free some: the smallest guest has 256 MiB");
    }
    Check::ok("memory", found)
}
