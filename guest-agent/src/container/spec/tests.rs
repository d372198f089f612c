//! Tests of each rule.

mod fields;
mod known;
mod mappings;
mod mutation;
mod namespaces;
mod path;
mod real;
mod scheduler;

use std::path::Path;

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use serde_json::{Value, json};

use super::{Adapted, Kinds, Place, adapt, adapt_exec, join, set_identity};
use crate::container::{ContainerError, users::Identity};

fn spec(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut spec = json!({
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 5, "gid": 6, "umask": 18}, "args": ["sh"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}]},
    });
    change(&mut spec);
    serde_json::to_vec(&spec).unwrap()
}

fn adapted(change: impl FnOnce(&mut Value)) -> Result<Adapted, ContainerError> {
    let place = Place {
        rootfs: Path::new("/r"),
        cgroup: Path::new("/husk/c1"),
        read_only: false,
        shared: Kinds::default(),
    };
    adapt(&spec(change), place)
}

fn unsupported(change: impl FnOnce(&mut Value)) -> String {
    match adapted(change) {
        Err(ContainerError::Unsupported(what)) => what,
        other => panic!("{other:?}"),
    }
}

fn kinds(spec: &Spec) -> Vec<LinuxNamespaceType> {
    let linux = spec.linux().as_ref().unwrap();
    let namespaces = linux.namespaces().as_ref().unwrap();
    namespaces.iter().map(|namespace| namespace.typ()).collect()
}

#[test]
fn root_and_cgroup_become_the_guests_own() {
    let spec = adapted(|_| {}).unwrap().spec;
    let root = spec.root().as_ref().unwrap();
    assert_eq!(root.path(), Path::new("/r"));
    assert_eq!(root.readonly(), Some(false));
    let cgroup = spec.linux().as_ref().unwrap().cgroups_path().clone();
    assert_eq!(cgroup.unwrap(), Path::new("/husk/c1"));
}

#[test]
fn root_without_place_for_writes_is_read_only() {
    let place = Place {
        rootfs: Path::new("/r"),
        cgroup: Path::new("/husk/c1"),
        read_only: true,
        shared: Kinds::default(),
    };
    let spec = adapt(&spec(|_| {}), place).unwrap().spec;
    assert_eq!(spec.root().as_ref().unwrap().readonly(), Some(true));
}

#[test]
fn cgroup_namespace_is_added_once() {
    let added = adapted(|_| {}).unwrap().spec;
    assert!(kinds(&added).contains(&LinuxNamespaceType::Cgroup));
    let given = adapted(|spec| {
        spec["linux"]["namespaces"] = json!([
            {"type": "pid"}, {"type": "mount"}, {"type": "network"}, {"type": "cgroup"}
        ]);
    });
    assert_eq!(kinds(&given.unwrap().spec).len(), 4);
}

#[test]
fn sharing_the_agents_processes_mounts_or_network_is_refused() {
    for left_out in 0..3 {
        let what = unsupported(|spec| {
            let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.remove(left_out);
        });
        assert!(what.contains("namespace of its own"), "{what}");
    }
}

#[test]
fn joining_a_namespace_by_path_is_refused() {
    let what = unsupported(|spec| {
        spec["linux"]["namespaces"][0]["path"] = json!("/proc/1/ns/pid");
    });
    assert!(what.contains("path of the pid namespace"), "{what}");
}

#[test]
fn hooks_and_binds_are_refused_by_name() {
    let hook = json!({"prestart": [{"path": "/bin/true"}]});
    assert_eq!(
        unsupported(|spec| spec["hooks"] = hook),
        "hooks.prestart: its programs are the host's, so it"
    );
    let bind = json!([{"destination": "/d", "source": "/", "type": "none", "options": ["rbind"]}]);
    assert_eq!(
        unsupported(|spec| spec["mounts"] = bind),
        "mounts[0] at /d: a bind mount of /, which is not a volume of the pod,"
    );
}

#[test]
fn network_parameters_go_to_the_helper() {
    let adapted = adapted(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({"type": "ipc"}));
        spec["linux"]["sysctl"] = json!({"net/ipv4/ip_forward": "1", "kernel.msgmax": "8192"});
    })
    .unwrap();
    let forward = ("net.ipv4.ip_forward".to_owned(), "1".to_owned());
    assert_eq!(adapted.net_sysctls, [forward]);
    let left = adapted.spec.linux().as_ref().unwrap().sysctl().clone();
    assert_eq!(left.unwrap().len(), 1);
}

#[test]
fn network_parameter_that_is_a_path_is_refused() {
    for name in ["net./../x", "net..x", "net.a/b"] {
        let result = adapted(|spec| spec["linux"]["sysctl"] = json!({name: "1"}));
        assert!(matches!(result, Err(ContainerError::Invalid(_))), "{name}");
    }
}

#[test]
fn r73_labels_are_taken_out_with_a_warning() {
    let adapted = adapted(|spec| {
        spec["process"]["apparmorProfile"] = json!("p");
        spec["process"]["selinuxLabel"] = json!("l");
    })
    .unwrap();
    let process = adapted.spec.process().as_ref().unwrap();
    assert!(process.apparmor_profile().is_none());
    for field in ["apparmorProfile", "selinuxLabel"] {
        let told = adapted.warnings.iter().any(|line| line.contains(field));
        assert!(told, "{field}: {:?}", adapted.warnings);
    }
}

#[test]
fn specification_without_process_or_linux_is_invalid() {
    for field in ["process", "linux"] {
        let result = adapted(|spec| {
            spec.as_object_mut().unwrap().remove(field);
        });
        assert!(matches!(result, Err(ContainerError::Invalid(_))), "{field}");
    }
    let nonsense = adapt_exec(b"{");
    assert!(matches!(nonsense, Err(ContainerError::Invalid(_))));
}

#[test]
fn process_that_is_no_json_is_refused_in_one_line() {
    let error = adapt_exec(b"{\"a\n\": 1}").unwrap_err().to_string();
    assert!(
        error.starts_with("process: a\\n: control character"),
        "{error}"
    );
}

#[test]
fn identity_replaces_user_and_keeps_umask() {
    let mut process = adapted(|_| {}).unwrap().spec.process().clone().unwrap();
    let identity = Identity {
        uid: 33,
        gid: 34,
        additional_gids: vec![50],
    };
    set_identity(&mut process, &identity);
    let user = process.user();
    assert_eq!((user.uid(), user.gid(), user.umask()), (33, 34, Some(18)));
    assert_eq!(user.additional_gids().as_deref(), Some(&[50][..]));
}

#[test]
fn seccomp_profile_becomes_a_program_that_libcontainer_does_not_see() {
    let adapted = adapted(|spec| {
        spec["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    })
    .unwrap();
    assert!(adapted.spec.linux().as_ref().unwrap().seccomp().is_none());
    assert!(adapted.filter.is_some());
}

#[test]
fn seccomp_profile_that_cannot_be_is_refused() {
    let notify = unsupported(|spec| {
        spec["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_NOTIFY"});
    });
    assert_eq!(notify, "linux.seccomp.defaultAction SCMP_ACT_NOTIFY");
    let absurd = adapted(|spec| {
        spec["linux"]["seccomp"] =
            json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000});
    });
    assert!(matches!(absurd, Err(ContainerError::Invalid(text)) if text.contains("5000")));
}
