//! Which option of which mount the kernel does not take: asked only when a container could not be made, one option after the
//! other, because for all of them together the kernel has one answer.

use libcontainer::rootfs::utils::parse_mount;
use oci_spec::runtime::{Mount, Spec};
use rustix::{
    io::Errno,
    mount::{FsOpenFlags, fsconfig_set_flag, fsconfig_set_string, fsopen},
};

use super::error::ContainerError;

/// The first option that the file system of its mount refuses.
pub(super) fn refused_option(spec: &Spec) -> Option<ContainerError> {
    let mounts = spec.mounts().as_deref().unwrap_or_default();
    let mut mounts = mounts.iter().enumerate();
    mounts.find_map(|(index, mount)| refused_by(mount, index))
}

fn refused_by(mount: &Mount, index: usize) -> Option<ContainerError> {
    let kind = mount.typ().as_deref().unwrap_or_default();
    // Of the other words none gets to a file system: binds have none, and libcontainer mounts cgroups in its own way.
    if ["", "bind", "cgroup"].contains(&kind) {
        return None;
    }
    let place = format!("mounts[{index}] at {}", mount.destination().display());
    let words = parse_mount(mount).ok()?.data;
    let refused = words
        .iter()
        .find_map(|word| Some((word, refusal(kind, word)?)));
    let (word, errno) = refused?;
    Some(ContainerError::Invalid(format!(
        "{place}: option {word:?} is none of {kind}'s: {errno}"
    )))
}

/// The kernel's answer to one word of the list that mount(2) takes.
fn refusal(kind: &str, word: &str) -> Option<Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
    let parts = word.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((key, value)) => fsconfig_set_string(&context, key, value),
            None => fsconfig_set_flag(&context, part),
        })
        .find_map(Result::err)
}

#[cfg(test)]
mod tests;
