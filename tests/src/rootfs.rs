//! The root file system that the tests run: Debian's static busybox and the probe.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::artefacts;

/// Where Debian's busybox-static puts it.
const BUSYBOX: &str = "/bin/busybox";

/// Fills `root`.
///
/// # Errors
/// busybox or the probe is missing, or a file cannot be written.
pub fn make(root: &Path) -> Result<()> {
    for dir in [
        "bin", "etc", "tmp", "proc", "sys", "dev", "root", "home/ann", "var/log",
    ] {
        fs::create_dir_all(root.join(dir))?;
    }
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777))?;
    fs::copy(BUSYBOX, root.join("bin/busybox")).context("busybox-static is not installed")?;
    fs::copy(artefacts::file("husk-probe")?, root.join("bin/probe"))?;
    let applets = Command::new(BUSYBOX).arg("--list").output()?;
    ensure!(applets.status.success(), "{BUSYBOX} --list failed");
    for applet in String::from_utf8(applets.stdout)?.lines() {
        if applet != "busybox" {
            symlink("busybox", root.join("bin").join(applet))?;
        }
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nann:x:1001:1002::/home/ann:/bin/sh\n",
    )?;
    fs::write(
        root.join("etc/group"),
        "root:x:0:\nann:x:1002:\nstaff:x:50:ann\n",
    )?;
    fs::write(root.join("etc/plain"), "not a program\n")?;
    Ok(())
}
