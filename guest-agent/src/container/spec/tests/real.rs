//! Specifications as engines write them.

use serde_json::{Value, json};

use super::{Adapted, Path, Place, adapt};
use crate::container::ContainerError;

const CAPABILITIES: [&str; 4] = ["CAP_CHOWN", "CAP_KILL", "CAP_MKNOD", "CAP_SETPCAP"];

fn mount(destination: &str, kind: &str, options: &[&str]) -> Value {
    json!({"destination": destination, "type": kind, "source": kind, "options": options})
}

/// `ctr run`.
pub(super) fn ctr() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "user": {"uid": 0, "gid": 0, "additionalGids": [0, 10]},
            "args": ["sh", "-c", "true"],
            "env": ["PATH=/usr/bin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs"},
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/run", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "cgroupsPath": "/default/demo",
            "namespaces": [
                {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}, {"type": "cgroup"}
            ],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/sys"],
        },
    })
}

/// `docker run` with most of its flags.
pub(super) fn docker() -> Value {
    let mut spec = ctr();
    spec["hostname"] = json!("4c01db0b339c");
    spec["domainname"] = json!("example.org");
    spec["process"]["noNewPrivileges"] = json!(false);
    spec["process"]["oomScoreAdj"] = json!(0);
    spec["process"]["apparmorProfile"] = json!("docker-default");
    spec["process"]["consoleSize"] = json!({"height": 0, "width": 0});
    spec["linux"]["sysctl"] = json!({
        "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647", "kernel.msgmax": "65536"
    });
    spec["linux"]["resources"] = json!({
        "devices": [
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 1, "minor": 5, "access": "rwm"},
            {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
        ],
        "memory": {"limit": 67_108_864, "swap": 134_217_728, "reservation": 33_554_432, "disableOOMKiller": false},
        "cpu": {"shares": 512, "quota": 50000, "period": 100_000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 100},
        "blockIO": {"weight": 0},
    });
    spec["linux"]["rootfsPropagation"] = json!("rprivate");
    spec
}

/// A container of the kubelet, by containerd's CRI, without namespaces by path.
pub(super) fn cri() -> Value {
    let mut spec = ctr();
    spec["annotations"] = json!({
        "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "f00"
    });
    spec["process"]["oomScoreAdj"] = json!(1000);
    spec["process"]["user"] = json!({"uid": 65535, "gid": 65535, "umask": 18});
    spec["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    spec["linux"]["resources"] = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": 536_870_912, "swap": 536_870_912},
        "cpu": {"shares": 102, "quota": 20000, "period": 100_000},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 0}, {"pageSize": "1GB", "limit": 0}],
        "unified": {"memory.oom.group": "1"},
    });
    spec
}

/// `husk run` of an image with a volume.
fn husk() -> Value {
    let mut spec = ctr();
    let mounts = spec["mounts"].as_array_mut().unwrap();
    mounts.push(mount("/var/lib/data", "volume", &["rw"]));
    spec
}

pub(super) fn all() -> Vec<Value> {
    vec![ctr(), docker(), cri(), husk()]
}

pub(super) fn adapted_json(spec: &Value) -> Result<Adapted, ContainerError> {
    let place = Place {
        rootfs: Path::new("/r"),
        cgroup: Path::new("/husk/c1"),
        read_only: false,
        shared: Default::default(),
    };
    adapt(&serde_json::to_vec(spec).unwrap(), place)
}

#[test]
fn r15_specifications_of_engines_are_taken() {
    for spec in all() {
        let adapted = adapted_json(&spec).unwrap();
        let surprises: Vec<_> = adapted
            .warnings
            .iter()
            .filter(|warning| !warning.contains("apparmorProfile"))
            .collect();
        assert!(surprises.is_empty(), "{surprises:?}");
        assert!(adapted.resources.is_some());
    }
}
