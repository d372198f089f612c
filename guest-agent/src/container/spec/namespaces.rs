//! What a container shares with its pod takes the place of what its specification says of that kind.

use std::os::fd::RawFd;

use oci_spec::runtime::{LinuxNamespace, LinuxNamespaceType, Spec};

use super::namespace;
use crate::{container::ContainerError, process::Shared};

impl Shared {
    /// Each kind, its name in messages, and the descriptor that the helper inherits.
    fn kinds(self) -> [(LinuxNamespaceType, &'static str, Option<i32>); 4] {
        [
            (LinuxNamespaceType::Network, "net", self.net),
            (LinuxNamespaceType::Ipc, "ipc", self.ipc),
            (LinuxNamespaceType::Uts, "uts", self.uts),
            (LinuxNamespaceType::Pid, "pid", self.pid),
        ]
    }
}

/// Makes the specification ask for every kind that is shared, as if it were the container's own.
pub(super) fn ask(spec: &mut Spec, shared: Shared) -> Result<(), ContainerError> {
    let Some(linux) = spec.linux_mut() else {
        return Ok(());
    };
    let namespaces = linux.namespaces_mut().get_or_insert_default();
    let has = |namespaces: &[LinuxNamespace], kind| {
        namespaces.iter().any(|namespace| namespace.typ() == kind)
    };
    for (kind, name, descriptor) in shared.kinds() {
        if descriptor.is_none() {
            continue;
        }
        // The pod's belong to the guest's own user namespace, and nobody in another may mount what shows them.
        if has(namespaces, LinuxNamespaceType::User) {
            return Err(ContainerError::Unsupported(format!(
                "shared.{name} together with a user namespace"
            )));
        }
        if !has(namespaces, kind) {
            namespaces.push(namespace(kind, None)?);
        }
    }
    Ok(())
}

/// A namespace that the helper has inherited.
pub(super) fn descriptor_path(number: RawFd) -> String {
    format!("/proc/self/fd/{number}")
}

/// Says where libcontainer finds what is shared. The helper is in the network's already, whosever it is.
pub(super) fn join(
    namespaces: &mut [LinuxNamespace],
    shared: Shared,
) -> Result<(), ContainerError> {
    for (kind, _, descriptor) in shared.kinds() {
        let path = match (kind, descriptor) {
            (LinuxNamespaceType::Ipc, Some(_)) => "/proc/self/ns/ipc".to_owned(),
            (LinuxNamespaceType::Uts, Some(_)) => "/proc/self/ns/uts".to_owned(),
            (LinuxNamespaceType::Pid, Some(number)) => descriptor_path(number),
            _ => continue,
        };
        for found in namespaces.iter_mut().filter(|found| found.typ() == kind) {
            *found = namespace(kind, Some(&path))?;
        }
    }
    Ok(())
}
