//! The ids of a container with a user namespace: what they are outside, and mounts that show a disk with them.

use std::{fmt::Write, os::fd::BorrowedFd, path::Path};

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Mount, Spec, User};
use rustix::{
    fs::{CWD, Gid, Uid},
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
};

use super::error::ContainerError;
use crate::process::map_mount;

/// Both mappings of a user namespace, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    uids: Vec<LinuxIdMapping>,
    gids: Vec<LinuxIdMapping>,
}

/// Who owns what is made for a container before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

/// A root file system's ids are to be those of this user namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mapped<'a> {
    pub(super) namespace: BorrowedFd<'a>,
    pub(super) root: Owner,
}

impl Ids {
    /// Of a specification that was fitted to the guest; none without a user namespace.
    pub(super) fn of(spec: &Spec) -> Option<Self> {
        let linux = spec.linux().as_ref()?;
        let mut namespaces = linux.namespaces().iter().flatten();
        namespaces.find(|namespace| namespace.typ() == LinuxNamespaceType::User)?;
        Some(Self {
            uids: linux.uid_mappings().clone().unwrap_or_default(),
            gids: linux.gid_mappings().clone().unwrap_or_default(),
        })
    }

    /// Of a mount; none without mappings of its own.
    pub(super) fn of_mount(mount: &Mount) -> Option<Self> {
        let (uids, gids) = (mount.uid_mappings().clone(), mount.gid_mappings().clone());
        let given = |mappings: &Vec<_>| !mappings.is_empty();
        Some(Self {
            uids: uids.filter(given)?,
            gids: gids.filter(given)?,
        })
    }

    /// What a user and a group of the container are outside of it; none: nobody.
    pub(super) fn owner(&self, uid: u32, gid: u32) -> Option<Owner> {
        Some(Owner {
            uid: Uid::from_raw(outside(&self.uids, uid)?),
            gid: Gid::from_raw(outside(&self.gids, gid)?),
        })
    }

    /// What the container's root is outside of it.
    pub(super) fn root(&self) -> Result<Owner, ContainerError> {
        self.owner(0, 0)
            .ok_or_else(|| ContainerError::Invalid("linux.uidMappings has no root".to_owned()))
    }

    /// A process could not become who is nobody; the error names the field.
    pub(super) fn check(&self, user: &User) -> Result<(), ContainerError> {
        let unmapped = |field: &str, id, map| {
            ContainerError::Invalid(format!("process.user.{field} {id} is not in linux.{map}"))
        };
        if outside(&self.uids, user.uid()).is_none() {
            return Err(unmapped("uid", user.uid(), "uidMappings"));
        }
        if outside(&self.gids, user.gid()).is_none() {
            return Err(unmapped("gid", user.gid(), "gidMappings"));
        }
        let mut groups = user.additional_gids().iter().flatten();
        match groups.find(|gid| outside(&self.gids, **gid).is_none()) {
            Some(gid) => Err(unmapped("additionalGids", *gid, "gidMappings")),
            None => Ok(()),
        }
    }

    /// Users and groups, as the kernel reads them.
    pub(super) fn lines(&self) -> [String; 2] {
        [lines(&self.uids), lines(&self.gids)]
    }
}

/// What an id is outside.
pub(super) fn outside(mappings: &[LinuxIdMapping], inside: u32) -> Option<u32> {
    mappings.iter().find_map(|mapping| {
        let offset = inside.checked_sub(mapping.container_id())?;
        (offset < mapping.size()).then_some(())?;
        mapping.host_id().checked_add(offset)
    })
}

/// As `/proc/PID/uid_map` takes them.
pub(super) fn lines(mappings: &[LinuxIdMapping]) -> String {
    mappings.iter().fold(String::new(), |mut lines, mapping| {
        // Nothing fails that writes to memory.
        let _ = writeln!(
            lines,
            "{} {} {}",
            mapping.container_id(),
            mapping.host_id(),
            mapping.size()
        );
        lines
    })
}

/// Options of a mount with mapped ids: its own, or of those below it, too.
pub(super) const IDMAP: [&str; 2] = ["idmap", "ridmap"];

/// Whether the ids of a mount are to be mapped.
pub(super) fn is_mapped(mount: &Mount) -> bool {
    let mut options = mount.options().iter().flatten();
    let given = [mount.uid_mappings(), mount.gid_mappings()];
    options.any(|option| IDMAP.contains(&option.as_str()))
        || given.into_iter().flatten().flatten().next().is_some()
}

/// How much of a tree of mounts is shown, and how much of it with other ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth {
    pub(super) all_shown: bool,
    pub(super) all_mapped: bool,
}

/// Shows at `target` what is at `source`, with its ids mapped as those of a user namespace.
pub(super) fn mount_mapped(
    source: &Path,
    target: &Path,
    namespace: BorrowedFd<'_>,
    depth: Depth,
) -> rustix::io::Result<()> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_RECURSIVE, depth.all_shown);
    let tree = open_tree(CWD, source, flags)?;
    map_mount(&tree, namespace, depth.all_mapped)?;
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&tree, c"", CWD, target, whole)
}
