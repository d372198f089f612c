//! A container with a user namespace: what of it must be there before libcontainer runs.

use std::{fs, io, os::fd::BorrowedFd, path::Path, sync::Arc};

use nix::sched::CloneFlags;
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::chown;

use crate::{
    container::{
        cgroup::Cgroup,
        error::ContainerError,
        ids::{Depth, IDMAP, Ids, Mapped, is_mapped, mount_mapped},
    },
    pod::{Sharing, make_user},
    process::Reaper,
};

/// Files of a cgroup that its owner may write, one name a line.
const DELEGATED: &str = "/sys/kernel/cgroup/delegate";

/// Volumes whose ids are to be mapped are mounted so beside the root; what is bound into the container is that.
pub(super) async fn map_volumes(
    reaper: &Arc<Reaper>,
    spec: &mut Spec,
    own: Option<BorrowedFd<'_>>,
    directory: &Path,
) -> Result<(), ContainerError> {
    let mounts = spec.mounts_mut().iter_mut().flatten().enumerate();
    for (index, mount) in mounts.filter(|(_, mount)| is_mapped(mount)) {
        let place = format!("mounts[{index}] at {}", mount.destination().display());
        let made = match Ids::of_mount(mount) {
            Some(ids) => {
                let made = make_user(reaper, CloneFlags::empty(), &ids.lines()).await;
                Some(made.map_err(ContainerError::io(format!("{place}: make its mapping")))?)
            }
            None => None,
        };
        let namespace = made.as_ref().map_or(own, Sharing::user);
        let (Some(namespace), Some(source)) = (namespace, mount.source().clone()) else {
            return Err(ContainerError::Invalid(format!("{place}: no mapping")));
        };
        let options = mount.options().clone().unwrap_or_default();
        let has = |wanted: &str| options.iter().any(|option| option == wanted);
        let depth = Depth {
            all_shown: has("rbind"),
            all_mapped: has("ridmap"),
        };
        let target = directory.join(format!("volume{index}"));
        show(&source, &target, namespace, depth).map_err(|source| ContainerError::Mount {
            what: format!("{place} with mapped ids"),
            source,
        })?;
        let rest = options.into_iter();
        let rest = rest.filter(|option| !IDMAP.contains(&option.as_str()));
        mount
            .set_options(Some(rest.collect()))
            .set_source(Some(target))
            .set_uid_mappings(None)
            .set_gid_mappings(None);
    }
    Ok(())
}

fn show(source: &Path, target: &Path, ids: BorrowedFd<'_>, depth: Depth) -> io::Result<()> {
    if fs::metadata(source)?.is_dir() {
        fs::create_dir_all(target)?;
    } else {
        fs::create_dir_all(target.parent().unwrap_or(target))?;
        fs::File::create_new(target)?;
    }
    Ok(mount_mapped(source, target, ids, depth)?)
}

/// How the layers are to be shown.
pub(super) fn mapped<'a>(
    namespace: Option<BorrowedFd<'a>>,
    ids: Option<&Ids>,
) -> Result<Option<Mapped<'a>>, ContainerError> {
    let (Some(namespace), Some(ids)) = (namespace, ids) else {
        return Ok(None);
    };
    let root = ids.root()?;
    Ok(Some(Mapped { namespace, root }))
}

/// Gives the container's root its cgroup, if it gets to see it writable: what the specification wants of version 2.
pub(super) fn delegate(spec: &Spec, ids: &Ids, cgroup: &Cgroup) -> Result<(), ContainerError> {
    let writable = |mount: &Mount| {
        let kind = mount.typ().as_deref().unwrap_or_default();
        let mut options = mount.options().iter().flatten();
        ["cgroup", "cgroup2"].contains(&kind) && !options.any(|option| option == "ro")
    };
    if !spec.mounts().iter().flatten().any(writable) {
        return Ok(());
    }
    let files =
        fs::read_to_string(DELEGATED).map_err(ContainerError::io(format!("read {DELEGATED}")))?;
    let directory = cgroup.directory();
    let root = ids.root()?;
    let files = files.lines().map(|name| directory.join(name));
    for path in files
        .filter(|path| path.exists())
        .chain([directory.clone()])
    {
        chown(&path, Some(root.uid), Some(root.gid))
            .map_err(ContainerError::io(format!("delegate {}", path.display())))?;
    }
    Ok(())
}
