//! Identity, rights and environment of the process.

use serde_json::{Value, json};

pub(super) fn user(spec: &mut Value) {
    spec["process"]["user"] = json!({"uid": 1001, "gid": 1002, "additionalGids": [5, 50, 1002]});
}

pub(super) fn no_capabilities(spec: &mut Value) {
    spec["process"]["capabilities"] = json!({});
}

/// Rights that an unprivileged process keeps, and some that it may only inherit.
pub(super) fn ambient_capabilities(spec: &mut Value) {
    user(spec);
    let some = ["CAP_NET_BIND_SERVICE", "CAP_NET_RAW"];
    let more = ["CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_CHOWN"];
    spec["process"]["capabilities"] = json!({
        "bounding": more, "permitted": more, "effective": some, "inheritable": more, "ambient": some,
    });
}

/// All but CAP_SYS_RESOURCE, which hosts that are containers themselves cannot give.
pub(super) fn most_capabilities(spec: &mut Value) {
    let names = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE \
        NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE \
        SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL \
        SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";
    let all: Vec<String> = names
        .split_whitespace()
        .map(|name| format!("CAP_{name}"))
        .collect();
    spec["process"]["capabilities"] = json!({
        "bounding": all, "permitted": all, "effective": all, "inheritable": all, "ambient": all,
    });
}

pub(super) fn no_new_privileges(spec: &mut Value) {
    spec["process"]["noNewPrivileges"] = json!(true);
    user(spec);
}

pub(super) fn rlimits(spec: &mut Value) {
    let limit = |kind: &str, soft: u64, hard: u64| json!({"type": format!("RLIMIT_{kind}"), "soft": soft, "hard": hard});
    spec["process"]["rlimits"] = json!([
        limit("NOFILE", 100, 200),
        limit("NPROC", 50, 60),
        limit("CORE", 0, 0),
        limit("AS", 1 << 32, u64::MAX),
        limit("CPU", 1000, 2000),
        limit("DATA", 1 << 30, 1 << 31),
        limit("FSIZE", 1 << 20, 1 << 21),
        limit("LOCKS", 7, 8),
        limit("MEMLOCK", 65_536, 65_536),
        limit("MSGQUEUE", 1000, 2000),
        limit("RTTIME", 5, 6),
        limit("SIGPENDING", 70, 80),
        limit("STACK", 1 << 22, 1 << 24),
    ]);
}

pub(super) fn no_rlimits(spec: &mut Value) {
    spec["process"]["rlimits"] = json!([]);
}

pub(super) fn umask_and_oom_score(spec: &mut Value) {
    spec["process"]["oomScoreAdj"] = json!(321);
    spec["process"]["user"]["umask"] = json!(0o077);
}

pub(super) fn cwd(spec: &mut Value) {
    user(spec);
    spec["process"]["cwd"] = json!("/home/ann");
}

/// Names twice, an empty value, blanks and equals signs, no HOME.
pub(super) fn environment(spec: &mut Value) {
    user(spec);
    spec["process"]["env"] = json!([
        "A=1",
        "PATH=/bin",
        "A=2",
        "EMPTY=",
        "TEXT= two words = x=y ",
        "UNICODE=\u{fc}"
    ]);
    spec["process"]["args"] = json!(["probe", "look", "", "two words", "\u{fc}"]);
}

pub(super) fn terminal(spec: &mut Value) {
    spec["process"]["terminal"] = json!(true);
    spec["process"]["consoleSize"] = json!({"width": 97, "height": 31});
}
