//! What PID 1 mounts for itself, and how its root becomes one that containers can pivot away from.

use std::{fs, io, path::Path};

use rustix::{
    fs::Mode,
    io::Errno,
    mount::{MountFlags, mount, mount_bind, mount_move, mount_remount},
    process::{DumpableBehavior, chdir, chroot, set_dumpable_behavior},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};

use super::allowances;

/// Directory in the initramfs on which the agent's root is bound.
const NEW_ROOT: &str = "/newroot";

/// Everything of Husk's own.
pub(crate) const RUN: &str = "/run/husk";

/// Makes the guest fit for containers: file systems, standard streams, a root that cannot be written. Called once, as
/// PID 1.
pub(crate) fn prepare() -> io::Result<()> {
    move_root()?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_at("proc", "/proc", "proc", quiet, "")?;
    mount_at("sysfs", "/sys", "sysfs", quiet, "")?;
    // Containers with a user namespace have nodes of it bound to theirs, restrictions included: /dev/zero may be mapped to
    // be executed.
    mount_at(
        "devtmpfs",
        "/dev",
        "devtmpfs",
        MountFlags::NOSUID,
        "mode=0755",
    )?;
    // The root of a user namespace passes through here on the way to its container, and may not look around.
    mount_at("tmpfs", "/run", "tmpfs", MountFlags::NOSUID, "mode=0711")?;
    mount(
        "cgroup2",
        "/sys/fs/cgroup",
        "cgroup2",
        quiet | MountFlags::RELATIME,
        c"nsdelegate",
    )?;
    fs::create_dir(RUN)?;
    open_standard_streams()?;
    allowances::allow()?;
    // Nobody looks into the agent, whatever a container may have got hold of.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    mount_remount("/", MountFlags::RDONLY | MountFlags::BIND, c"")?;
    Ok(())
}

/// `pivot_root` refuses to leave the initramfs, because that mount has no parent. Bound on a directory and moved over
/// the root, the same files have one.
fn move_root() -> io::Result<()> {
    make_dir(NEW_ROOT)?;
    mount_bind("/", NEW_ROOT)?;
    chdir(NEW_ROOT)?;
    mount_move(".", "/")?;
    chroot(".")?;
    chdir("/")?;
    Ok(())
}

fn mount_at(
    source: &str,
    target: &str,
    kind: &str,
    flags: MountFlags,
    data: &str,
) -> io::Result<()> {
    make_dir(target)?;
    let data = std::ffi::CString::new(data)?;
    mount(source, target, kind, flags, data.as_c_str())?;
    Ok(())
}

fn make_dir(path: &str) -> io::Result<()> {
    match rustix::fs::mkdir(Path::new(path), Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Input from nowhere, output nowhere, errors into the kernel's log. The console that the kernel opened is let go:
/// a terminal costs an interrupt for each byte, and there may be none at all.
fn open_standard_streams() -> io::Result<()> {
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    match fs::File::options().write(true).open("/dev/kmsg") {
        Ok(log) => dup2_stderr(&log)?,
        Err(_) => dup2_stderr(&null)?,
    }
    Ok(())
}
