//! The bundle: what libcontainer is told of a container, and what it is not told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use husk_protocol::agent::CreateContainerRequest;
use oci_spec::runtime::{PosixRlimit, Process as ProcessSpec};

use crate::{
    container::{
        error::ContainerError,
        files::{Inside, bind_volumes, cover_modes},
        ids::Ids,
        rootfs::merged_in,
        spec::{Adapted, set_identity},
        users::resolve,
    },
    guest::RUN,
    process::Privileges,
};

/// Makes what the container is to find in its root, writes the bundle, and says what libcontainer is not told.
pub(super) fn write_bundle(
    request: &CreateContainerRequest,
    directory: &Path,
    ids: Option<&Ids>,
    adapted: &mut Adapted,
) -> Result<(Privileges, Vec<PosixRlimit>), ContainerError> {
    let rootfs = merged_in(directory);
    let inside = Inside::open(&rootfs).map_err(ContainerError::io("open root of the container"))?;
    let inside = inside.with_ids(ids.cloned());
    if let Some(process) = adapted.spec.process_mut() {
        apply_user(process, &request.user, &inside)?;
        if let Some(ids) = ids {
            ids.check(process.user())?;
        }
        let cwd = process.cwd().clone();
        inside
            .make_directories(&cwd)
            .map_err(ContainerError::io(format!(
                "make working directory {}",
                cwd.display()
            )))?;
    }
    bind_volumes(&mut adapted.spec, &inside)?;
    for file in &request.files {
        inside.put(file)?;
    }
    cover_modes(&mut adapted.spec, &inside)?;
    fs::create_dir_all(state_directory()).map_err(ContainerError::io("make state directory"))?;
    let (privileges, rlimits) = match adapted.spec.process_mut() {
        Some(process) => {
            let privileges = take_privileges(process, &mut adapted.warnings)?;
            (privileges, take_rlimits(process))
        }
        None => Default::default(),
    };
    let write = || {
        fs::write(
            directory.join("config.json"),
            serde_json::to_vec(&adapted.spec)?,
        )
    };
    write().map_err(ContainerError::io("write bundle"))?;
    Ok((privileges, rlimits))
}

/// libcontainer drops capabilities before the filter could be loaded, so it is told of none.
fn take_privileges(
    process: &mut ProcessSpec,
    warnings: &mut Vec<String>,
) -> Result<Privileges, ContainerError> {
    let privileges = Privileges::of(process.capabilities().as_ref(), warnings);
    process.set_capabilities(None);
    privileges.map_err(ContainerError::Invalid)
}

/// libcontainer would take them on long before it has made the container.
fn take_rlimits(process: &mut ProcessSpec) -> Vec<PosixRlimit> {
    let rlimits = process.rlimits().clone();
    process.set_rlimits(None);
    rlimits.unwrap_or_default()
}

pub(in crate::container) fn apply_user(
    process: &mut ProcessSpec,
    user: &str,
    inside: &Inside,
) -> Result<(), ContainerError> {
    if user.is_empty() {
        return Ok(());
    }
    let read = |path: &str| {
        inside
            .read(Path::new(path))
            .map_err(ContainerError::io(format!("read {path} of the container")))
    };
    let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
    let identity = resolve(user, passwd.as_deref(), group.as_deref())?;
    set_identity(process, &identity);
    Ok(())
}

/// Where libcontainer keeps its state of every container.
pub(in crate::container) fn state_directory() -> PathBuf {
    Path::new(RUN).join("state")
}
