//! What a container shares with its pod.

use oci_spec::runtime::LinuxNamespaceType;
use serde_json::{Value, json};

use super::{Adapted, Kinds, Path, Place, adapt, join, spec};
use crate::{container::ContainerError, process::Shared};

const ALL: Shared = Shared {
    user: None,
    net: Some(7),
    ipc: Some(8),
    uts: Some(9),
    pid: Some(10),
};

fn sharing(shared: Shared, change: impl FnOnce(&mut Value)) -> Result<Adapted, ContainerError> {
    let kinds = Kinds {
        net: shared.net.is_some(),
        ipc: shared.ipc.is_some(),
        uts: shared.uts.is_some(),
        pid: shared.pid.is_some(),
    };
    let place = Place {
        rootfs: Path::new("/r"),
        cgroup: Path::new("/husk/c1"),
        read_only: false,
        shared: kinds,
    };
    let mut adapted = adapt(&spec(change), place)?;
    join(&mut adapted.spec, shared)?;
    Ok(adapted)
}

/// Kinds and paths, sorted by kind.
fn namespaces(adapted: &Adapted) -> Vec<(LinuxNamespaceType, Option<&str>)> {
    let linux = adapted.spec.linux().as_ref().unwrap();
    let namespaces = linux.namespaces().as_ref().unwrap().iter();
    let path = |path: &std::path::PathBuf| path.to_str().unwrap().to_owned().leak() as &str;
    let mut all: Vec<_> = namespaces
        .map(|one| (one.typ(), one.path().as_ref().map(path)))
        .collect();
    all.sort_by_key(|(kind, _)| kind.to_string());
    all
}

#[test]
fn shared_kinds_are_joined_whether_the_specification_lists_them_or_not() {
    let expected = [
        (LinuxNamespaceType::Cgroup, None),
        (LinuxNamespaceType::Ipc, Some("/proc/self/ns/ipc")),
        (LinuxNamespaceType::Mount, None),
        (LinuxNamespaceType::Network, Some("/proc/self/ns/net")),
        (LinuxNamespaceType::Pid, Some("/proc/self/fd/10")),
        (LinuxNamespaceType::Uts, Some("/proc/self/ns/uts")),
    ];
    for listed in [
        json!([{"type": "mount"}]),
        json!([{"type": "mount"}, {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}]),
    ] {
        let adapted = sharing(ALL, |spec| spec["linux"]["namespaces"] = listed).unwrap();
        assert_eq!(namespaces(&adapted), expected);
    }
}

#[test]
fn what_belongs_to_a_shared_kind_may_be_said_without_listing_it() {
    let uts = Shared {
        uts: Some(9),
        ..Shared::default()
    };
    let named = |spec: &mut Value| spec["hostname"] = json!("pod");
    let error = sharing(Shared::default(), named).unwrap_err().to_string();
    assert!(error.contains("without a uts namespace"), "{error}");
    assert_eq!(
        sharing(uts, named).unwrap().spec.hostname().as_deref(),
        Some("pod")
    );
}

#[test]
fn user_namespace_or_a_path_beside_a_shared_kind_is_refused_by_name() {
    let ipc = Shared {
        ipc: Some(8),
        ..Shared::default()
    };
    let refused = |extra: Value| {
        let made = sharing(ipc, |spec| {
            spec["linux"]["namespaces"]
                .as_array_mut()
                .unwrap()
                .push(extra);
        });
        made.unwrap_err().to_string()
    };
    assert_eq!(
        refused(json!({"type": "user"})),
        "shared.ipc without shared.net together with a user namespace is not supported"
    );
    assert_eq!(
        refused(json!({"type": "ipc", "path": "/proc/1/ns/ipc"})),
        "linux.namespaces: path of the ipc namespace is not supported"
    );
}

#[test]
fn r49_user_namespace_of_the_pod_is_joined_with_its_network_and_not_with_its_processes() {
    let user = |spec: &mut Value| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({"type": "user"}));
        let mapping = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        spec["linux"]["uidMappings"] = mapping.clone();
        spec["linux"]["gidMappings"] = mapping;
    };
    let error = sharing(ALL, user).unwrap_err().to_string();
    let named = "shared.pid together with a user namespace is not supported";
    assert_eq!(error, named);
    let without = Shared {
        user: Some(6),
        pid: None,
        ..ALL
    };
    let adapted = sharing(without, user).unwrap();
    let paths = namespaces(&adapted);
    assert!(paths.contains(&(LinuxNamespaceType::User, Some("/proc/self/fd/6"))));
    assert!(paths.contains(&(LinuxNamespaceType::Ipc, Some("/proc/self/ns/ipc"))));
    assert!(paths.contains(&(LinuxNamespaceType::Network, Some("/proc/self/ns/net"))));
    assert!(paths.contains(&(LinuxNamespaceType::Pid, None)));
}
