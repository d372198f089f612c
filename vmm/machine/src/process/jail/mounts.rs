//! An empty, read-only root.

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change,
    move_mount, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use super::JailError;

/// Replace every file system of this mount namespace by one empty directory.
///
/// # Errors
/// The step that the kernel refused.
pub(super) fn empty_root() -> Result<(), JailError> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(JailError::at("private mounts"))?;
    let root = empty_directory().map_err(JailError::at("tmpfs"))?;
    // It is laid over the old root, so it needs no directory of the host. The old root is what `/` leads to until the
    // pivot, so the new one is entered by its descriptor.
    move_mount(&root, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(JailError::at("mount of the new root"))?;
    fchdir(&root).map_err(JailError::at("entering the new root"))?;
    // Old and new root change places on the same directory: what is then unmounted is the old one (pivot_root(2)).
    pivot_root(".", ".").map_err(JailError::at("pivot_root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(JailError::at("unmount of the old root"))?;
    chdir("/").map_err(JailError::at("chdir"))
}

/// A detached tmpfs that holds nothing and takes nothing.
fn empty_directory() -> rustix::io::Result<rustix::fd::OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "mode", "0555")?;
    fsconfig_set_string(&context, "size", "4096")?;
    fsconfig_set_string(&context, "nr_inodes", "1")?;
    fsconfig_set_flag(&context, "ro")?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
