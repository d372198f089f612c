//! `linux.uidMappings` and `gidMappings`: what the kernel would refuse with a number and no name.

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Mount, Spec};

use super::{fields::has_namespace, mounts::is_bind};
use crate::container::{
    ContainerError,
    ids::{is_mapped, lines, outside},
};

/// Most lines of an id mapping, and most bytes: they are written at once (user_namespaces(7)).
const MAX_MAPPINGS: usize = 340;
const MAX_BYTES: usize = 4095;

/// Judges both, and what else of the specification is an id.
pub(super) fn check(spec: &Spec) -> Result<(), ContainerError> {
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    let has_user = has_namespace(Some(linux), LinuxNamespaceType::User);
    for (name, option, mappings) in [
        ("uidMappings", "uid=", linux.uid_mappings()),
        ("gidMappings", "gid=", linux.gid_mappings()),
    ] {
        let mappings = mappings.as_deref().unwrap_or_default();
        let invalid = |what: String| Err(ContainerError::Invalid(format!("linux.{name}{what}")));
        if !has_user {
            match mappings {
                [] => continue,
                _ => return invalid(" without a user namespace".to_owned()),
            }
        }
        check_mapping(mappings)
            .and_then(|()| has_root(mappings))
            .or_else(|what| invalid(format!(": {what}")))?;
        check_mounts(spec, option, mappings)
            .or_else(|what| invalid(format!(" has not what is named in {what}")))?;
    }
    let mounts = spec.mounts().iter().flatten().enumerate();
    for (index, mount) in mounts.filter(|(_, mount)| is_mapped(mount)) {
        let place = format!("mounts[{index}] at {}", mount.destination().display());
        check_mapped(mount, &place, has_user)?;
    }
    Ok(())
}

/// A mount that has mappings of its own, or the container's.
fn check_mapped(mount: &Mount, place: &str, has_user: bool) -> Result<(), ContainerError> {
    if !is_bind(mount) {
        return Err(ContainerError::Unsupported(format!(
            "{place}: an idmapped mount that is no bind mount"
        )));
    }
    let (uids, gids) = (mount.uid_mappings(), mount.gid_mappings());
    let given = |mappings: &Option<Vec<_>>| mappings.iter().flatten().next().is_some();
    match (given(uids), given(gids)) {
        (true, true) => {}
        (false, false) if has_user => return Ok(()),
        (false, false) => {
            return Err(ContainerError::Invalid(format!(
                "{place}: option \"idmap\" without mappings and without a user namespace"
            )));
        }
        _ => {
            return Err(ContainerError::Invalid(format!(
                "{place}: uidMappings and gidMappings are not both given"
            )));
        }
    }
    for (name, mappings) in [("uidMappings", uids), ("gidMappings", gids)] {
        check_mapping(mappings.as_deref().unwrap_or_default())
            .map_err(|what| ContainerError::Invalid(format!("{place}: {name}: {what}")))?;
    }
    Ok(())
}

/// One mapping, of a container or of a mount.
fn check_mapping(mappings: &[LinuxIdMapping]) -> Result<(), String> {
    if mappings.len() > MAX_MAPPINGS {
        return Err(format!(
            "{} lines: {MAX_MAPPINGS} are the most",
            mappings.len()
        ));
    }
    for (index, mapping) in mappings.iter().enumerate() {
        let fits = |first: u32| first.checked_add(mapping.size()).is_some();
        if mapping.size() == 0 || !fits(mapping.host_id()) || !fits(mapping.container_id()) {
            return Err(format!(
                "size {} from {} on {} is no range",
                mapping.size(),
                mapping.container_id(),
                mapping.host_id()
            ));
        }
        let earlier = mappings.iter().take(index);
        if let Some(other) = earlier.clone().position(|other| overlap(mapping, other)) {
            return Err(format!("[{index}] overlaps [{other}]"));
        }
    }
    match lines(mappings).len() {
        bytes if bytes > MAX_BYTES => Err(format!(
            "{bytes} bytes as the kernel reads them: {MAX_BYTES} are the most"
        )),
        _ => Ok(()),
    }
}

/// No id may be mapped twice, nor two ids to one.
fn overlap(one: &LinuxIdMapping, other: &LinuxIdMapping) -> bool {
    let meet = |one_first: u32, other_first: u32| {
        one_first < other_first.saturating_add(other.size())
            && other_first < one_first.saturating_add(one.size())
    };
    meet(one.container_id(), other.container_id()) || meet(one.host_id(), other.host_id())
}

/// The container is set up by its root.
fn has_root(mappings: &[LinuxIdMapping]) -> Result<(), String> {
    match outside(mappings, 0) {
        Some(_) => Ok(()),
        None => Err("container id 0 is not mapped".to_owned()),
    }
}

/// An owner in the options of a mount, such as the gid=5 of every /dev/pts, is one of the container.
fn check_mounts(spec: &Spec, option: &str, mappings: &[LinuxIdMapping]) -> Result<(), String> {
    for (index, mount) in spec.mounts().iter().flatten().enumerate() {
        let given = mount.options().iter().flatten();
        let mut ids = given.filter_map(|given| given.strip_prefix(option)?.parse().ok());
        if let Some(id) = ids.find(|id| outside(mappings, *id).is_none()) {
            let path = mount.destination().display();
            return Err(format!(
                "mounts[{index}] at {path}: option \"{option}{id}\""
            ));
        }
    }
    Ok(())
}
