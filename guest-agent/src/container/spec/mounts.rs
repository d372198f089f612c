//! `mounts`: what libcontainer would drop without a word, and what must not be mounted in a guest.

use std::path::{Component, Path};

use oci_spec::runtime::Mount;

use crate::container::{ContainerError, files::VOLUME};

/// Volumes of the pod: the one place of the guest that a container may have a part of bound to its own tree.
const VOLUMES: &str = "/run/husk/volumes";

/// A destination that is longer is told without its end: what is wrong stands behind it.
const MOST_LETTERS: usize = 200;

/// File systems without a disk below. A disk is mounted by the agent alone.
const KINDS: [&str; 16] = [
    "bind",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "fusectl",
    "mqueue",
    "proc",
    "ramfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

/// Options that libcontainer takes and forgets, and one of runc's own that it does not know.
const FORGOTTEN: [&str; 9] = [
    "shared",
    "rshared",
    "unbindable",
    "runbindable",
    "remount",
    "sync",
    "dirsync",
    "mand",
    "tmpcopyup",
];

/// Judges every mount.
pub(super) fn check(mounts: &[Mount], warnings: &mut Vec<String>) -> Result<(), ContainerError> {
    for (index, mount) in mounts.iter().enumerate() {
        let destination = mount.destination().display().to_string();
        let shown: String = destination.chars().take(MOST_LETTERS).collect();
        let place = format!("mounts[{index}] at {shown}");
        check_mount(mount, &place, warnings)?;
    }
    Ok(())
}

fn check_mount(
    mount: &Mount,
    place: &str,
    warnings: &mut Vec<String>,
) -> Result<(), ContainerError> {
    let destination = mount.destination();
    if !destination.is_absolute() || destination.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(ContainerError::Invalid(format!(
            "{place}: destination is not absolute"
        )));
    }
    let options = mount.options().as_deref().unwrap_or_default();
    if let Some(option) = options.iter().find(|option| option.contains('\0')) {
        return Err(ContainerError::Invalid(format!(
            "{place}: option {option:?} contains a zero byte"
        )));
    }
    if let Some(option) = options
        .iter()
        .find(|option| FORGOTTEN.contains(&option.as_str()))
    {
        return Err(ContainerError::Unsupported(format!(
            "{place}: option {option:?}"
        )));
    }
    if is_bind(mount) {
        return check_bind(mount, place);
    }
    let kind = mount.typ().as_deref().unwrap_or_default();
    if kind == VOLUME {
        return match options.iter().find(|option| *option != "rw") {
            None => Ok(()),
            Some(option) => Err(ContainerError::Unsupported(format!(
                "{place}: option {option:?} of a volume"
            ))),
        };
    }
    if !KINDS.contains(&kind) {
        return Err(ContainerError::Unsupported(format!(
            "{place}: type {kind:?}"
        )));
    }
    if mount.source().is_none() {
        return Err(ContainerError::Invalid(format!("{place}: no source")));
    }
    if destination == Path::new("/dev") && options.iter().any(|option| option == "ro") {
        warnings.push(format!(
            "{place}: option \"ro\" is ignored: /dev stays writable"
        ));
    }
    Ok(())
}

pub(super) fn is_bind(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("bind")
        || mount
            .options()
            .iter()
            .flatten()
            .any(|option| option == "bind" || option == "rbind")
}

/// A path of the host means nothing in the guest, or worse, something of the agent's own. A volume is named by one
/// component, because below it containers may have put symlinks.
fn check_bind(mount: &Mount, place: &str) -> Result<(), ContainerError> {
    let Some(source) = mount.source() else {
        return Err(ContainerError::Invalid(format!("{place}: no source")));
    };
    let is_volume = source.strip_prefix(VOLUMES).is_ok_and(|below| {
        let mut parts = below.components();
        matches!(
            (parts.next(), parts.next()),
            (Some(Component::Normal(_)), None)
        )
    });
    if !is_volume {
        return Err(ContainerError::Unsupported(format!(
            "{place}: a bind mount of {}, which is not a volume of the pod,",
            source.display()
        )));
    }
    match source.symlink_metadata() {
        Ok(_) => Ok(()),
        Err(error) => Err(ContainerError::Invalid(format!(
            "{place}: source {}: {}",
            source.display(),
            error
                .kind()
                .to_string()
                .replace("entity not found", "no such file or directory")
        ))),
    }
}
