//! What every container gets that does not say otherwise: the set that Docker and containerd agree on.

use oci_spec::runtime::Capabilities;
use serde_json::{Map, Value, json};

/// Files of /proc and /sys that tell or do too much.
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Whether parts of /proc and /sys are hidden and read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paths {
    /// As everybody's.
    Confined,
    /// Somebody asked for all of them.
    Unconfined,
}

/// Whether the process is root, which alone has its capabilities from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    /// User id 0.
    Root,
    /// Any other: it can gain them by executing a set-user-id program, as `execve` has it.
    User,
}

/// The five sets: the process has what it may have, or may gain it by executing.
pub(super) fn capabilities(privilege: Privilege, granted: &Capabilities) -> Value {
    match privilege {
        Privilege::Root => json!({
            "bounding": granted, "effective": granted, "permitted": granted,
        }),
        Privilege::User => json!({ "bounding": granted }),
    }
}

pub(super) fn mounts() -> Vec<Value> {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    vec![
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "/dev",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "/dev/pts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount(
            "/sys/fs/cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", "ro"],
        ),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount(
            "/dev/shm",
            "tmpfs",
            &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        ),
    ]
}

/// Everything below `linux` but limits, parameters and system calls. Device rules: nothing but what every runtime allows
/// by itself.
pub(super) fn linux(paths: Paths) -> Map<String, Value> {
    let namespaces = ["pid", "network", "ipc", "uts", "mount", "cgroup"];
    let namespaces: Value = namespaces
        .iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    let mut linux = Map::new();
    linux.insert("namespaces".to_owned(), namespaces);
    if paths == Paths::Confined {
        linux.insert("maskedPaths".to_owned(), json!(MASKED));
        linux.insert("readonlyPaths".to_owned(), json!(READ_ONLY));
    }
    linux
}
