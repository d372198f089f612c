//! Tests of each rule.

use oci_spec::runtime::LinuxCapabilities;
use serde_json::{Value, json};

use super::Privileges;

fn of(json: Value) -> (Result<Privileges, String>, Vec<String>) {
    let capabilities: LinuxCapabilities = serde_json::from_value(json).unwrap();
    let mut warnings = Vec::new();
    let made = Privileges::of(Some(&capabilities), &mut warnings);
    (made, warnings)
}

#[test]
fn sets_are_taken_as_they_are() {
    let (made, warnings) = of(json!({
        "bounding": ["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"],
        "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"],
    }));
    let expected = Privileges {
        bounding: 1 | 1 << 21 | 1 << 40,
        permitted: 1 | 1 << 5,
        effective: 1 << 5,
        inheritable: 1,
        ambient: 1,
    };
    assert_eq!((made, warnings), (Ok(expected), Vec::new()));
}

#[test]
fn every_capability_has_its_bit() {
    let all = [
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "AUDIT_WRITE",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "IPC_OWNER",
        "KILL",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "MKNOD",
        "NET_ADMIN",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW",
        "PERFMON",
        "SETGID",
        "SETFCAP",
        "SETPCAP",
        "SETUID",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_CHROOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "SYSLOG",
        "WAKE_ALARM",
    ]
    .map(|name| format!("CAP_{name}"));
    let (made, _) = of(json!({"bounding": all.to_vec()}));
    assert_eq!(made.unwrap().bounding, (1 << 41) - 1);
}

#[test]
fn missing_sets_are_empty() {
    let (made, _) = of(json!({}));
    assert_eq!(made, Ok(Privileges::default()));
    assert_eq!(
        Privileges::of(None, &mut Vec::new()),
        Ok(Privileges::default())
    );
}

#[test]
fn what_the_kernel_would_not_take_is_named() {
    let (made, _) = of(json!({"effective": ["CAP_KILL"], "permitted": ["CAP_CHOWN"]}));
    assert_eq!(
        made.unwrap_err(),
        "process.capabilities.effective has CAP_KILL, which permitted has not"
    );
    let (made, _) = of(json!({"inheritable": ["CAP_KILL"], "permitted": ["CAP_KILL"]}));
    assert_eq!(
        made.unwrap_err(),
        "process.capabilities.inheritable has CAP_KILL, which bounding has not"
    );
}

#[test]
fn ambient_capability_that_cannot_be_is_left_out_and_told() {
    let (made, warnings) = of(json!({
        "bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_CHOWN", "CAP_KILL"],
        "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN", "CAP_KILL", "CAP_BPF"],
    }));
    assert_eq!(made.unwrap().ambient, 1);
    assert!(warnings[0].contains("CAP_KILL, CAP_BPF"), "{warnings:?}");
}
