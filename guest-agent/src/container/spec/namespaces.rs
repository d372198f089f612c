//! What a container shares with its pod takes the place of what its specification says of that kind.

use std::os::fd::RawFd;

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};

use super::namespace;
use crate::{container::ContainerError, process::Shared};

/// The kinds that a container shares.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::container) struct Kinds {
    pub(in crate::container) net: bool,
    pub(in crate::container) ipc: bool,
    pub(in crate::container) uts: bool,
    pub(in crate::container) pid: bool,
}

impl Kinds {
    /// Each kind that is shared, and its name in messages.
    fn shared(self) -> impl Iterator<Item = (LinuxNamespaceType, &'static str)> {
        let all = [
            (LinuxNamespaceType::Network, "net", self.net),
            (LinuxNamespaceType::Ipc, "ipc", self.ipc),
            (LinuxNamespaceType::Uts, "uts", self.uts),
            (LinuxNamespaceType::Pid, "pid", self.pid),
        ];
        let shared = all.into_iter().filter(|(_, _, shared)| *shared);
        shared.map(|(kind, name, _)| (kind, name))
    }
}

/// Makes the specification ask for every kind that is shared, as if it were the container's own.
pub(super) fn ask(spec: &mut Spec, kinds: Kinds) -> Result<(), ContainerError> {
    let Some(linux) = spec.linux_mut() else {
        return Ok(());
    };
    let namespaces = linux.namespaces_mut().get_or_insert_default();
    let has = |namespaces: &[LinuxNamespace], kind| {
        namespaces.iter().any(|namespace| namespace.typ() == kind)
    };
    for (kind, name) in kinds.shared() {
        if has(namespaces, LinuxNamespaceType::User) {
            check_with_user(kinds, name)?;
        }
        if !has(namespaces, kind) {
            namespaces.push(namespace(kind, None)?);
        }
    }
    Ok(())
}

/// Process 1 of the pod is in no user namespace, and nobody in one may mount what shows its processes; the same goes for
/// a network that is not of the user namespace.
fn check_with_user(kinds: Kinds, name: &str) -> Result<(), ContainerError> {
    let what = match kinds {
        Kinds { pid: true, .. } => "shared.pid together with a user namespace".to_owned(),
        Kinds { net: false, .. } => {
            format!("shared.{name} without shared.net together with a user namespace")
        }
        _ => return Ok(()),
    };
    Err(ContainerError::Unsupported(what))
}

/// Says where libcontainer finds what is not the container's own, or was made for it before. The helper is in the
/// network's already, whosever it is.
pub(in crate::container) fn join(spec: &mut Spec, shared: Shared) -> Result<(), ContainerError> {
    let descriptor = |number: RawFd| format!("/proc/self/fd/{number}");
    let paths = [
        (LinuxNamespaceType::User, shared.user.map(descriptor)),
        (
            LinuxNamespaceType::Ipc,
            shared.ipc.map(|_| "/proc/self/ns/ipc".to_owned()),
        ),
        (
            LinuxNamespaceType::Uts,
            shared.uts.map(|_| "/proc/self/ns/uts".to_owned()),
        ),
        (LinuxNamespaceType::Pid, shared.pid.map(descriptor)),
    ];
    let linux = spec.linux_mut().as_mut();
    let namespaces = linux.and_then(|linux| linux.namespaces_mut().as_mut());
    for found in namespaces.into_iter().flatten() {
        let path = paths.iter().find(|(kind, _)| *kind == found.typ());
        if let Some((kind, Some(path))) = path {
            *found = namespace(*kind, Some(path))?;
        }
    }
    Ok(())
}
