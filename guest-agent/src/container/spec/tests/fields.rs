//! One row of docs/oci.md a case: what is refused, and in which words; what is ignored.

use serde_json::{Value, json};

use super::real::{adapted_json, docker};
use crate::container::ContainerError;

/// A place in the specification (JSON pointer), what is put there, and what the answer must contain.
type Case = (&'static str, Value, &'static str);

pub(super) fn put(spec: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match spec.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        fields => fields[name] = value,
    }
}

fn answers(cases: Vec<Case>) -> Vec<(Case, ContainerError)> {
    let answer = |(pointer, value, expected): Case| {
        let mut spec = docker();
        put(&mut spec, pointer, value.clone());
        match adapted_json(&spec) {
            Err(error) => ((pointer, value, expected), error),
            Ok(_) => panic!("{pointer} {value} is taken"),
        }
    };
    cases.into_iter().map(answer).collect()
}

fn senseless_process() -> Vec<Case> {
    vec![
        ("/ociVersion", json!("2.0"), "ociVersion: \"2.0\""),
        ("/root", Value::Null, "no root"),
        ("/hostname", json!("h".repeat(65)), "hostname: \"hhh"),
        ("/domainname", json!("a\0"), "domainname: \"a\\0\""),
        ("/process/args", json!([]), "process.args is empty"),
        ("/process/args", json!(["a\0"]), "process.args: \"a\\0\""),
        ("/process/env", json!(["A=1", "B"]), "process.env[1]: \"B\""),
        ("/process/env", json!(["=1"]), "process.env[0]: \"=1\""),
        ("/process/cwd", json!("tmp"), "process.cwd \"tmp\""),
        ("/process/cwd", json!(""), "process.cwd \"\""),
        (
            "/process/oomScoreAdj",
            json!(1001),
            "process.oomScoreAdj: 1001",
        ),
        (
            "/process/user",
            json!({"uid": 0, "gid": 0, "umask": 512}),
            "process.user.umask: 0o1000",
        ),
        (
            "/process/user",
            json!({"uid": -1, "gid": 0}),
            "process.user.uid: ",
        ),
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_NPROC", "soft": 2, "hard": 1}]),
            "process.rlimits[0] (RLIMIT_NPROC): soft 2",
        ),
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}, {"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]),
            "process.rlimits[1] (RLIMIT_CPU): given twice",
        ),
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_X", "soft": 1, "hard": 1}]),
            "process.rlimits[0].type: ",
        ),
        (
            "/process/ioPriority",
            json!({"class": "IOPRIO_CLASS_BE", "priority": 8}),
            "process.ioPriority.priority: 8",
        ),
    ]
}

fn senseless_linux() -> Vec<Case> {
    let mapping = json!([{"containerID": 0, "hostID": 1, "size": 1}]);
    vec![
        (
            "/linux/namespaces",
            json!([{"type": "pid"}, {"type": "uts"}, {"type": "ipc"}, {"type": "pid"}]),
            "linux.namespaces: pid is given twice",
        ),
        (
            "/linux/uidMappings",
            mapping,
            "linux.uidMappings without a user namespace",
        ),
        (
            "/linux/timeOffsets",
            json!({"realtime": {"secs": 1}}),
            "linux.timeOffsets: \"realtime\"",
        ),
        (
            "/linux/timeOffsets",
            json!({"boottime": {"secs": 1}}),
            "linux.timeOffsets without a time namespace",
        ),
    ]
}

fn senseless_paths_and_devices() -> Vec<Case> {
    vec![
        (
            "/linux/maskedPaths",
            json!(["proc"]),
            "linux.maskedPaths: \"proc\"",
        ),
        (
            "/linux/readonlyPaths",
            json!(["../x"]),
            "linux.readonlyPaths: \"../x\"",
        ),
        (
            "/linux/rootfsPropagation",
            json!("public"),
            "linux.rootfsPropagation: \"public\"",
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/../x", "type": "c"}]),
            "linux.devices[0].path: /dev/../x",
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/x", "type": "a"}]),
            "linux.devices[0].type: \"a\"",
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/x", "type": "c", "major": 4096}]),
            "linux.devices[0].major: 4096",
        ),
        (
            "/linux/devices",
            json!([{"path": "/dev/x", "type": "b", "minor": -1}]),
            "linux.devices[0].minor: -1",
        ),
        (
            "/linux/sysctl",
            json!({"kernel.hostname": "x"}),
            "kernel.hostname conflicts with hostname",
        ),
        (
            "/linux/sysctl",
            json!({"kernel": "x"}),
            "linux.sysctl: \"kernel\"",
        ),
        (
            "/linux/sysctl",
            json!({"user.max_user_namespaces": "1"}),
            "without a user namespace",
        ),
        (
            "/mounts/0/destination",
            json!("proc"),
            "mounts[0] at proc: destination",
        ),
        (
            "/mounts/1/options",
            json!(["a\0"]),
            "mounts[1] at /dev: option \"a\\0\"",
        ),
        (
            "/mounts/1/source",
            Value::Null,
            "mounts[1] at /dev: no source",
        ),
    ]
}

#[test]
fn r15_values_that_make_no_sense_are_named() {
    let mut cases = senseless_process();
    cases.extend(senseless_linux());
    cases.extend(senseless_paths_and_devices());
    for ((pointer, value, expected), error) in answers(cases) {
        assert!(
            matches!(error, ContainerError::Invalid(_)),
            "{pointer} {value}: {error:?}"
        );
        let told = error.to_string();
        assert!(told.contains(expected), "{pointer} {value}: {told}");
        assert!(!told.contains('\n') && !told.contains('\0'), "{told:?}");
    }
}

fn unsupported_fields() -> Vec<Case> {
    let bind = |source: &str| json!({"destination": "/x", "type": "bind", "source": source, "options": ["rbind"]});
    let mapped = json!([{"containerID": 0, "hostID": 1, "size": 1}]);
    vec![
        ("/linux/intelRdt", json!({"closID": "a"}), "linux.intelRdt"),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_BIND", "nodes": "0"}),
            "linux.memoryPolicy",
        ),
        (
            "/linux/netDevices",
            json!({"eth0": {}}),
            "linux.netDevices: \"eth0\"",
        ),
        (
            "/linux/personality",
            json!({"domain": "LINUX", "flags": ["X"]}),
            "linux.personality.flags: \"X\"",
        ),
        (
            "/linux/sysctl",
            json!({"vm.swappiness": "1"}),
            "linux.sysctl: \"vm.swappiness\" is not in a separate kernel namespace",
        ),
        (
            "/mounts/1/type",
            json!("ext4"),
            "mounts[1] at /dev: type \"ext4\"",
        ),
        (
            "/mounts/1/options",
            json!(["idmap"]),
            "mounts[1] at /dev: an idmapped mount that is no bind mount",
        ),
        (
            "/mounts/1/options",
            json!(["rshared"]),
            "mounts[1] at /dev: option \"rshared\"",
        ),
        (
            "/mounts/1/uidMappings",
            mapped,
            "mounts[1] at /dev: an idmapped mount that is no bind mount",
        ),
        (
            "/mounts/1",
            bind("/etc/hosts"),
            "mounts[1] at /x: a bind mount of /etc/hosts",
        ),
        (
            "/mounts/1",
            json!({"destination": "/v", "type": "volume", "options": ["rw", "noexec"]}),
            "mounts[1] at /v: option \"noexec\" of a volume",
        ),
        (
            "/mounts/1",
            bind("/run/husk/volumes"),
            "mounts[1] at /x: a bind mount of",
        ),
        (
            "/mounts/1",
            bind("/run/husk/volumes/a/b"),
            "mounts[1] at /x: a bind mount of",
        ),
        (
            "/mounts/1",
            bind("/run/husk/volumes/.."),
            "mounts[1] at /x: a bind mount of",
        ),
        (
            "/hooks",
            json!({"createContainer": [{"path": "/bin/true"}]}),
            "hooks.createContainer",
        ),
    ]
}

#[test]
fn r15_what_the_guest_does_not_do_is_refused_by_name() {
    for ((pointer, value, expected), error) in answers(unsupported_fields()) {
        assert!(
            matches!(error, ContainerError::Unsupported(_)),
            "{pointer} {value}: {error:?}"
        );
        assert!(
            error.to_string().contains(expected),
            "{pointer} {value}: {error}"
        );
        assert!(error.to_string().ends_with("is not supported"), "{error}");
    }
}

#[test]
fn bind_mount_of_a_volume_that_is_not_there_is_told_as_by_runc() {
    let bind = json!({
        "destination": "/x", "type": "bind", "source": "/run/husk/volumes/none-such", "options": ["rbind"]
    });
    for ((..), error) in answers(vec![("/mounts/1", bind, "")]) {
        assert!(
            error.to_string().contains("no such file or directory"),
            "{error}"
        );
    }
}

#[test]
fn fields_that_nobody_knows_and_those_of_other_systems_are_ignored_by_name() {
    let cases = [
        ("/process/colour", json!("red"), "process.colour"),
        (
            "/linux/resources/cpu/speed",
            json!(1),
            "linux.resources.cpu.speed",
        ),
        ("/windows", json!({"layerFolders": []}), "windows"),
        (
            "/process/execCPUAffinity",
            json!({"initial": "0"}),
            "process.execCPUAffinity",
        ),
        ("/linux/mountLabel", json!("l"), "linux.mountLabel"),
        ("/process/selinuxLabel", json!("l"), "process.selinuxLabel"),
    ];
    for (pointer, value, expected) in cases {
        let mut spec = docker();
        put(&mut spec, pointer, value);
        let adapted = adapted_json(&spec).unwrap();
        let told = adapted.warnings.iter().any(|line| line.contains(expected));
        assert!(told, "{pointer}: {:?}", adapted.warnings);
    }
}

#[test]
fn propagation_of_the_root_is_known_in_both_spellings() {
    for (given, kept) in [
        ("rshared", Some("shared")),
        ("slave", Some("slave")),
        ("", None),
        ("runbindable", Some("unbindable")),
    ] {
        let mut spec = docker();
        spec["linux"]["rootfsPropagation"] = json!(given);
        let adapted = adapted_json(&spec).unwrap().spec;
        let linux = adapted.linux().as_ref().unwrap();
        assert_eq!(linux.rootfs_propagation().as_deref(), kept);
    }
}
