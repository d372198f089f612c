//! Namespaces, system calls, hidden paths, parameters.

use husk_sandbox::spec::default_profile;
use serde_json::{Value, json};

fn namespaces(spec: &mut Value, kinds: &[&str]) {
    spec["linux"]["namespaces"] = kinds.iter().map(|kind| json!({"type": kind})).collect();
}

/// As of a container that shares the rest with what is around it.
pub(super) fn few_namespaces(spec: &mut Value) {
    namespaces(spec, &["pid", "network", "uts", "mount"]);
}

pub(super) fn no_pid_namespace(spec: &mut Value) {
    namespaces(spec, &["network", "ipc", "uts", "mount", "cgroup"]);
}

pub(super) fn user_namespace(spec: &mut Value) {
    namespaces(
        spec,
        &["pid", "network", "ipc", "uts", "mount", "cgroup", "user"],
    );
    let map = json!([{"containerID": 0, "hostID": 0, "size": 65536}]);
    spec["linux"]["uidMappings"] = map.clone();
    spec["linux"]["gidMappings"] = map;
}

pub(super) fn names(spec: &mut Value) {
    spec["hostname"] = json!("other-name.example");
    spec["domainname"] = json!("domain.example");
}

pub(super) fn sysctls(spec: &mut Value) {
    spec["linux"]["sysctl"] = json!({
        "fs.mqueue.msg_max": "20",
        "kernel.domainname": "by.parameter",
        "kernel.msgmax": "16384",
        "kernel.sem": "100 200 300 400",
        "kernel.shm_rmid_forced": "1",
        "kernel.shmmax": "1048576",
        "net.core.somaxconn": "77",
        "net.ipv4.ip_forward": "1",
        "net.ipv4.ip_local_port_range": "2000 3000",
        "net/ipv4/ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 100",
    });
    spec["process"]["user"] = json!({"uid": 1001, "gid": 50});
}

pub(super) fn nothing_hidden(spec: &mut Value) {
    spec["linux"]["maskedPaths"] = json!([]);
    spec["linux"]["readonlyPaths"] = json!([]);
}

/// A file, a directory, and what is not there.
pub(super) fn hidden_files(spec: &mut Value) {
    spec["linux"]["maskedPaths"] =
        json!(["/etc/passwd", "/home/ann", "/no/such/path", "/proc/irq"]);
}

pub(super) fn read_only_paths(spec: &mut Value) {
    spec["linux"]["readonlyPaths"] = json!(["/tmp", "/etc/group", "/no/such/path", "/dev/shm"]);
}

pub(super) fn seccomp_default(spec: &mut Value) {
    let granted = spec["process"]["capabilities"]["bounding"].clone();
    let granted = serde_json::from_value(granted).unwrap_or_default();
    spec["linux"]["seccomp"] = default_profile(&granted);
}

/// Denials by numbers of their own, by argument, and one that kills; loaded without privileges.
pub(super) fn seccomp_odd(spec: &mut Value) {
    spec["process"]["noNewPrivileges"] = json!(true);
    spec["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
            {"names": ["chroot"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            // Raw sockets of the packet family alone.
            {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [{"index": 0, "value": 17, "op": "SCMP_CMP_EQ"}]},
            {"names": ["setpriority"], "action": "SCMP_ACT_TRAP"},
        ],
    });
    // The trap ends the probe when it tries to be nicer; before that the shell shows what the filter is.
    let script = "grep -E 'Seccomp|NoNew' /proc/self/status; chroot / true; hostname x; mount -t tmpfs none /tmp; \
        renice -n 5 -p $$; echo $?";
    spec["process"]["args"] = json!(["/bin/sh", "-c", script]);
}
