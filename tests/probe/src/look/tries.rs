//! What the kernel lets this process do. Each try is undone, or changes nothing from the start.

use std::{
    fs::{self, OpenOptions},
    net::TcpListener,
    os::unix::fs::chown,
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, makedev, mknodat},
    mount::{MountFlags, UnmountFlags, mount, unmount},
    net::{AddressFamily, SocketType, ipproto, socket},
    process::{
        Resource, Rlimit, chroot, getrlimit, setpriority_process, setrlimit, test_kill_process,
    },
};
use serde_json::{Map, Value};

use super::text::outcome;

/// All tries by name.
pub(super) fn all() -> Map<String, Value> {
    let name = rustix::system::uname().nodename().to_bytes().to_vec();
    [
        ("write_root", write_in("/")),
        ("write_etc", write_in("/etc")),
        ("write_tmp", write_in("/tmp")),
        ("write_dev", write_in("/dev")),
        ("write_shm", write_in("/dev/shm")),
        (
            "write_cgroup",
            outcome(
                fs::create_dir("/sys/fs/cgroup/try")
                    .and_then(|()| fs::remove_dir("/sys/fs/cgroup/try")),
            ),
        ),
        (
            "write_sysctl",
            outcome(
                OpenOptions::new()
                    .write(true)
                    .open("/proc/sys/net/ipv4/ip_forward"),
            ),
        ),
        (
            "write_sys",
            outcome(OpenOptions::new().write(true).open("/sys/class/net/lo/mtu")),
        ),
        ("chown", chown_file()),
        ("chroot", outcome(chroot("/"))),
        ("hostname", outcome(rustix::system::sethostname(&name))),
        ("mount", mount_something()),
        ("node_null", node(1, 3)),
        ("node_kernel_log", node(1, 11)),
        ("nice", outcome(setpriority_process(None, -5))),
        ("raise_limit", raise_limit()),
        (
            "raw_socket",
            outcome(socket(
                AddressFamily::INET,
                SocketType::RAW,
                Some(ipproto::ICMP),
            )),
        ),
        (
            "packet_socket",
            outcome(socket(AddressFamily::PACKET, SocketType::RAW, None)),
        ),
        ("low_port", outcome(TcpListener::bind("0.0.0.0:81"))),
        (
            "see_init",
            outcome(rustix::process::Pid::from_raw(1).map_or(Ok(()), test_kill_process)),
        ),
    ]
    .into_iter()
    .map(|(name, outcome)| (name.to_owned(), outcome.into()))
    .collect()
}

fn write_in(dir: &str) -> String {
    let file = Path::new(dir).join(".try");
    outcome(fs::write(&file, b"x").and_then(|()| fs::remove_file(&file)))
}

fn chown_file() -> String {
    let file = "/tmp/.owned";
    let result = fs::write(file, b"").and_then(|()| chown(file, Some(12), Some(34)));
    // Not there when it could not be made.
    let _ = fs::remove_file(file);
    outcome(result)
}

fn mount_something() -> String {
    let mounted = mount("none", "/tmp", "tmpfs", MountFlags::empty(), None);
    if mounted.is_ok() {
        // Its failure shows in the tries that use /tmp.
        let _ = unmount("/tmp", UnmountFlags::empty());
    }
    outcome(mounted)
}

fn node(major: u32, minor: u32) -> String {
    let path = "/tmp/.node";
    let made = mknodat(
        CWD,
        path,
        FileType::CharacterDevice,
        Mode::RUSR | Mode::WUSR,
        makedev(major, minor),
    );
    if made.is_err() {
        return outcome(made);
    }
    let opened = outcome(OpenOptions::new().read(true).open(path));
    // It was made just now.
    let _ = fs::remove_file(path);
    format!("made, open {opened}")
}

fn raise_limit() -> String {
    let before = getrlimit(Resource::Nofile);
    let Some(hard) = before.maximum else {
        return "no limit".to_owned();
    };
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: before.current,
            maximum: Some(hard + 1),
        },
    );
    // Put back what was raised.
    let _ = setrlimit(Resource::Nofile, before);
    outcome(raised)
}
