//! A container with a user namespace: what of it must be there before libcontainer runs.

use std::os::fd::BorrowedFd;

use nix::sched::CloneFlags;
use oci_spec::runtime::{Mount, Spec};
use rustix::fs::chown;

use crate::{
    container::{
        cgroup::Cgroup,
        error::ContainerError,
        ids::{Ids, Mapped},
        spec::enter_user_namespace,
        table::Agent,
    },
    pod::{Sharing, make_user},
};

/// Files of a cgroup that its owner may write, one name a line.
const DELEGATED: &str = "/sys/kernel/cgroup/delegate";

impl Agent {
    /// Makes the user namespace, and the network namespace in it: of another one the container could not mount `sysfs`.
    pub(super) async fn make_user_namespace(
        &self,
        spec: &mut Spec,
        ids: &Ids,
    ) -> Result<Sharing, ContainerError> {
        let made = make_user(&self.reaper, CloneFlags::CLONE_NEWNET, &ids.lines()).await;
        let own = made.map_err(ContainerError::io("make user namespace"))?;
        if let Some(number) = own.numbers().user {
            enter_user_namespace(spec, number)?;
        }
        Ok(own)
    }
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
    let files = std::fs::read_to_string(DELEGATED)
        .map_err(ContainerError::io(format!("read {DELEGATED}")))?;
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
