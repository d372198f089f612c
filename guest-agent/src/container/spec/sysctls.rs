//! `linux.sysctl`: only what belongs to a namespace of the container's own, as runc has it.

use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::fields::has_namespace;
use crate::container::ContainerError;

/// Parameters of an ipc namespace; `fs.mqueue.` has more.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// Takes those of the network out: they belong to the network namespace, which the helper makes before libcontainer
/// runs.
pub(super) fn take_net(linux: &mut Linux) -> Result<Vec<(String, String)>, ContainerError> {
    let has = |kind| has_namespace(Some(linux), kind);
    let (ipc, uts, user) = (
        has(LinuxNamespaceType::Ipc),
        has(LinuxNamespaceType::Uts),
        has(LinuxNamespaceType::User),
    );
    let Some(sysctls) = linux.sysctl_mut() else {
        return Ok(Vec::new());
    };
    let mut taken = Vec::new();
    let mut kept = std::collections::HashMap::new();
    for (name, value) in sysctls.drain() {
        if !is_plain(&name) {
            return Err(ContainerError::Invalid(format!(
                "linux.sysctl: {name:?} is no parameter"
            )));
        }
        if value.contains('\0') {
            return Err(ContainerError::Invalid(format!(
                "linux.sysctl.{name}: {value:?} contains a zero byte"
            )));
        }
        let name = name.replace('/', ".");
        if name.starts_with("net.") {
            taken.push((name, value));
            continue;
        }
        let lacks = if IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
            (!ipc).then_some("an ipc namespace")
        } else if name == "kernel.domainname" {
            (!uts).then_some("a uts namespace")
        } else if name == "kernel.hostname" {
            return Err(ContainerError::Invalid(
                "linux.sysctl: kernel.hostname conflicts with hostname".to_owned(),
            ));
        } else if name.starts_with("user.") {
            (!user).then_some("a user namespace")
        } else {
            return Err(ContainerError::Unsupported(format!(
                "linux.sysctl: {name:?} is not in a separate kernel namespace and"
            )));
        };
        if let Some(lacks) = lacks {
            return Err(ContainerError::Invalid(format!(
                "linux.sysctl: {name:?} without {lacks}"
            )));
        }
        kept.insert(name, value);
    }
    *sysctls = kept;
    taken.sort();
    Ok(taken)
}

/// Words with dots or slashes between them: it becomes a path.
fn is_plain(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    // Both at once stand for an interface with a dot in its name, which no container has at its start.
    name.contains('.') != name.contains('/') && name.split(['.', '/']).all(part)
}
