//! What libcontainer leaves otherwise than runc does, set right in the container before its command is looked for.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use oci_spec::runtime::{Linux, Spec};
use rustix::mount::{MountFlags, mount_remount};

/// File systems whose mounts have these restrictions in every container anyway.
const RESTRICTED: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Below it libcontainer makes the directories of devices.
const DEVICES: &str = "/dev";

/// What libcontainer gives a directory that it makes on the way to a device, whatever the umask is.
const EVERYBODYS: u32 = 0o777;

/// Everything that is not as it should be; needs all capabilities.
pub(super) fn complete(spec: &Spec) -> io::Result<()> {
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    close_device_directories(linux)?;
    open_read_only_paths(linux)
}

/// `/dev/net` of `/dev/net/tun` is root's: nobody else makes entries in it.
fn close_device_directories(linux: &Linux) -> io::Result<()> {
    for device in linux.devices().iter().flatten() {
        let above = device.path().ancestors().skip(1);
        let made =
            above.take_while(|path| path.starts_with(DEVICES) && *path != Path::new(DEVICES));
        for path in made {
            let about = match fs::symlink_metadata(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                about => about?,
            };
            if about.is_dir() && about.permissions().mode() & 0o7777 == EVERYBODYS {
                fs::set_permissions(path, Permissions::from_mode(0o755))?;
            }
        }
    }
    Ok(())
}

/// A read-only path is read-only and nothing else: libcontainer takes its programs, devices and set-user-id bits away, too.
fn open_read_only_paths(linux: &Linux) -> io::Result<()> {
    let paths = linux.readonly_paths().iter().flatten().map(Path::new);
    let mut paths = paths
        .filter(|path| !RESTRICTED.iter().any(|known| path.starts_with(known)))
        .peekable();
    if paths.peek().is_none() {
        return Ok(());
    }
    // Without /proc nobody can say what was mounted there before.
    let Ok(table) = fs::read_to_string("/proc/self/mountinfo") else {
        return Ok(());
    };
    for path in paths {
        let path = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            path => path?,
        };
        if let Some(flags) = flags_below(&table, &path) {
            mount_remount(&path, flags | MountFlags::BIND | MountFlags::RDONLY, "")?;
        }
    }
    Ok(())
}

/// Flags of what lies below the newest mount at a path.
fn flags_below(table: &str, path: &Path) -> Option<MountFlags> {
    let mounts: Vec<MountLine<'_>> = table.lines().filter_map(MountLine::parse).collect();
    let newest = mounts.iter().rfind(|mount| mount.point == path)?;
    let below = mounts.iter().find(|mount| mount.id == newest.parent)?;
    let mut flags = MountFlags::empty();
    for option in below.options.split(',') {
        flags |= match option {
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            _ => MountFlags::empty(),
        };
    }
    Some(flags)
}

/// A line of mountinfo: id, parent, device, root, point, options.
struct MountLine<'a> {
    id: &'a str,
    parent: &'a str,
    point: PathBuf,
    options: &'a str,
}

impl<'a> MountLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(' ');
        let (id, parent) = (fields.next()?, fields.next()?);
        let point = fields.nth(2)?;
        Some(Self {
            id,
            parent,
            point: unescape(point),
            options: fields.next()?,
        })
    }
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(point: &str) -> PathBuf {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    let plain = escapes
        .iter()
        .fold(point.to_owned(), |text, (escape, plain)| {
            text.replace(escape, plain)
        });
    PathBuf::from(plain)
}

#[cfg(test)]
mod tests;
