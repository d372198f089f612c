//! Errors of documents name the field.

use super::{
    adapt_exec,
    fields::put,
    real::{adapted_json, docker},
};
use crate::container::spec::path::{About, at};

/// Pointer to the field, its bad value as JSON, and how the error begins.
type Case = (&'static str, &'static str, &'static str);

const PROCESS: [Case; 8] = [
    (
        "/process/user/uid",
        "\"root\"",
        "process.user.uid: invalid type: string \"root\"",
    ),
    (
        "/process/args/1",
        "7",
        "process.args[1]: invalid type: integer `7`",
    ),
    (
        "/process/noNewPrivileges",
        "\"yes\"",
        "process.noNewPrivileges: invalid type: string \"yes\"",
    ),
    (
        "/process/rlimits/0/type",
        "\"RLIMIT_X\"",
        "process.rlimits[0].type: unknown variant `RLIMIT_X`",
    ),
    (
        "/process/rlimits/0/soft",
        "-1",
        "process.rlimits[0].soft: invalid value: integer `-1`",
    ),
    (
        "/process/capabilities/bounding/0",
        "\"CAP_NONE\"",
        "process.capabilities.bounding",
    ),
    ("/process/cwd", "null", "process.cwd: invalid type: null"),
    (
        "/process/user",
        "{\"uid\": 1.5}",
        "process.user.uid: invalid type: floating point `1.5`",
    ),
];

const REST: [Case; 12] = [
    (
        "/mounts/1/options",
        "\"ro\"",
        "mounts[1].options: invalid type: string \"ro\"",
    ),
    (
        "/linux/namespaces/2/type",
        "\"space\"",
        "linux.namespaces[2].type: unknown variant `space`",
    ),
    (
        "/linux/seccomp",
        "{\"defaultAction\": \"SCMP_ACT_NONE\"}",
        "linux.seccomp.defaultAction: unknown variant `SCMP_ACT_NONE`",
    ),
    (
        "/linux/seccomp",
        "{\"syscalls\": []}",
        "linux.seccomp: missing field `defaultAction`",
    ),
    (
        "/linux/resources/memory",
        "{\"limit\": \"1g\"}",
        "linux.resources.memory.limit: invalid type: string \"1g\"",
    ),
    (
        "/linux/resources/cpu",
        "{\"shares\": -5}",
        "linux.resources.cpu.shares: invalid value: integer `-5`",
    ),
    (
        "/linux/sysctl",
        "{\"net.x\": 1}",
        "linux.sysctl.net.x: invalid type: integer `1`",
    ),
    (
        "/linux/devices",
        "[{\"path\": \"/dev/x\", \"type\": \"q\"}]",
        "linux.devices[0].type: unknown variant `q`",
    ),
    (
        "/linux/personality",
        "{\"domain\": \"BSD\"}",
        "linux.personality.domain: unknown variant `BSD`",
    ),
    ("/hostname", "[\"a\"]", "hostname: invalid type: sequence"),
    // The reader says nothing of the value, or stops in front of it.
    (
        "/linux/namespaces/2/type",
        "null",
        "linux.namespaces[2].type: null is none of the words for it",
    ),
    (
        "/linux/maskedPaths/1",
        "{}",
        "linux.maskedPaths[1]: invalid type: map",
    ),
];

#[test]
fn r15_error_of_the_reader_names_the_field_and_the_value() {
    for (pointer, value, expected) in PROCESS.iter().chain(&REST) {
        let mut spec = docker();
        put(&mut spec, pointer, serde_json::from_str(value).unwrap());
        let told = adapted_json(&spec).unwrap_err().to_string();
        let expected = format!("specification: {expected}");
        assert!(told.contains(&expected), "{pointer}: {told}");
    }
    let told = adapt_exec(br#"{"user": {"uid": {}}, "cwd": "/"}"#).unwrap_err();
    let expected = "process: user.uid: invalid type";
    assert!(told.to_string().contains(expected), "{told}");
}

#[test]
fn place_in_a_document_has_a_path_whatever_the_document() {
    let json = "{\n \"a\": [1, {\"b\\\"c\": \"}]\", \"d\":\n [[], 2]}],\n \"e\": 3 }";
    for (text, expected) in [
        ("{", ""),
        ("\"a\"", "a"),
        ("[1", "a[0]"),
        ("}]\"", "a[1].b\\\"c"),
        ("\"d\"", "a[1].d"),
        ("[[]", "a[1].d[0]"),
        ("2", "a[1].d[1]"),
        ("2]", "a[1].d"),
        ("2]}", "a[1]"),
        ("2]}]", "a"),
        ("2]}],", "a"),
        ("3", "e"),
        ("3 }", ""),
    ] {
        let end = json.find(text).unwrap() + text.len();
        let before = &json[..end];
        let line = before.matches('\n').count() + 1;
        let column = end - before.rfind('\n').map_or(0, |newline| newline + 1);
        assert_eq!(
            at(json.as_bytes(), line, column, About::Behind),
            expected,
            "{text}"
        );
    }
    assert_eq!(at(b"]]}},,\"\\", 1, 99, About::Behind), "");
    assert_eq!(at(b"", 0, 0, About::Ahead), "");
    let long = format!("{{\"{}\": {}", "x".repeat(5000), "[".repeat(5000));
    assert!(at(long.as_bytes(), 1, long.len(), About::Behind).len() < 300);
}
