//! Files inside a root file system that is not trusted: no look-up leaves it, whatever its symlinks say.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use husk_protocol::agent::PushedFile;
use oci_spec::runtime::{Mount, Spec};
use rustix::{
    fs::{
        AtFlags, CWD, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fchmod, fchown, fstat,
        mkdirat, openat, openat2, unlinkat,
    },
    io::Errno,
};

use super::{
    error::ContainerError,
    ids::{Ids, Owner},
};

/// Most that is read of a file such as /etc/passwd.
const MAX_READ_BYTES: u64 = 4 << 20;

/// Type of the mount of an image's volume, a word of Husk's own: [`bind_volumes`] makes a bind of it.
pub(super) const VOLUME: &str = "volume";

/// The root directory of a container, seen from outside.
#[derive(Debug)]
pub(super) struct Inside {
    root: OwnedFd,
    /// Of a container with a user namespace.
    ids: Option<Ids>,
}

impl Inside {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: openat(CWD, root, flags, Mode::empty())?,
            ids: None,
        })
    }

    /// What is made there is to belong to ids of the container.
    pub(super) fn with_ids(mut self, ids: Option<Ids>) -> Self {
        self.ids = ids;
        self
    }

    /// Who a user of the container is outside of it.
    fn owner(&self, uid: u32, gid: u32) -> io::Result<Owner> {
        let nobody = || io::Error::other(format!("{uid}:{gid} is nobody in its user namespace"));
        match &self.ids {
            None => Ok(Owner {
                uid: Uid::from_raw(uid),
                gid: Gid::from_raw(gid),
            }),
            Some(ids) => ids.owner(uid, gid).ok_or_else(nobody),
        }
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(
            &self.root,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        )
    }

    /// The content of a regular file; none when there is no such file.
    pub(super) fn read(&self, path: &Path) -> io::Result<Option<String>> {
        let file = match self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        let mut content = Vec::new();
        file.take(MAX_READ_BYTES).read_to_end(&mut content)?;
        Ok(Some(String::from_utf8_lossy(&content).into_owned()))
    }

    /// The mode of what is there under a path; none when nothing is.
    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        match self.resolve(path, OFlags::PATH) {
            Ok(file) => Ok(Some(fstat(&file)?.st_mode & 0o7777)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The directory, made with all that leads to it.
    pub(super) fn make_directories(&self, path: &Path) -> io::Result<OwnedFd> {
        let directory = OFlags::PATH | OFlags::DIRECTORY;
        let mut walked = Path::new("/").to_path_buf();
        let mut parent = self.resolve(&walked, directory)?;
        for component in path.components() {
            let Component::Normal(name) = component else {
                continue;
            };
            walked.push(name);
            parent = match self.resolve(&walked, directory) {
                Err(Errno::NOENT) => {
                    mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                    self.give_to_root(&parent, name)?;
                    self.resolve(&walked, directory)?
                }
                other => other?,
            };
        }
        Ok(parent)
    }

    /// The agent is nobody where there is a user namespace, and so would be what it makes.
    fn give_to_root(&self, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
        if self.ids.is_some() {
            let root = self.owner(0, 0)?;
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            chownat(parent, name, Some(root.uid), Some(root.gid), flags)?;
        }
        Ok(())
    }

    /// Puts a file in place of whatever has its name.
    pub(super) fn put(&self, file: &PushedFile) -> Result<(), ContainerError> {
        let path = checked(&file.path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ContainerError::Invalid(format!(
                "{:?} is no path of a file",
                file.path
            )));
        };
        let write = || -> io::Result<()> {
            let parent = self.make_directories(parent)?;
            match unlinkat(&parent, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut out = File::from(openat(&parent, name, flags, Mode::from_raw_mode(0o600))?);
            out.write_all(&file.content)?;
            let owner = self.owner(file.uid, file.gid)?;
            fchown(&out, Some(owner.uid), Some(owner.gid))?;
            fchmod(&out, Mode::from_raw_mode(file.mode & 0o7777))?;
            Ok(())
        };
        write().map_err(ContainerError::io(format!(
            "write {} in container",
            file.path
        )))
    }
}

/// Mounts of type `volume` become binds that libcontainer knows: the container's own directory, made when missing, onto
/// itself. So it is writable though the root is read-only, and has what the image has there.
pub(super) fn bind_volumes(spec: &mut Spec, inside: &Inside) -> Result<(), ContainerError> {
    let is_volume = |mount: &&mut Mount| mount.typ().as_deref() == Some(VOLUME);
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    for mount in mounts.iter_mut().filter(is_volume) {
        let path = mount.destination().clone();
        let failed = ContainerError::io(format!("make volume {}", path.display()));
        let source = inside
            .make_directories(&path)
            .and_then(|dir| real_path(&dir));
        mount.set_source(Some(source.map_err(failed)?));
        mount.set_typ(Some("bind".to_owned()));
        mount.set_options(Some(vec!["rbind".to_owned(), "rw".to_owned()]));
    }
    spec.set_mounts(Some(mounts));
    Ok(())
}

/// A tmpfs that is not told its mode gets that of the directory that it covers, as under runc. What another mount covers is
/// not there when the tmpfs is mounted.
pub(super) fn cover_modes(spec: &mut Spec, inside: &Inside) -> Result<(), ContainerError> {
    let mut mounts = spec.mounts().clone().unwrap_or_default();
    for index in 0..mounts.len() {
        let (before, rest) = mounts.split_at_mut(index);
        let Some(mount) = rest.first_mut() else {
            continue;
        };
        let path = mount.destination().clone();
        let mut options = mount.options().clone().unwrap_or_default();
        let told = options.iter().any(|option| option.starts_with("mode="));
        let covered = before
            .iter()
            .any(|mount| path.starts_with(mount.destination()));
        if mount.typ().as_deref() != Some("tmpfs") || told || covered {
            continue;
        }
        let failed = ContainerError::io(format!("look at {} of the container", path.display()));
        if let Some(mode) = inside.mode(&path).map_err(failed)? {
            options.insert(0, format!("mode={mode:04o}"));
            mount.set_options(Some(options));
        }
    }
    spec.set_mounts(Some(mounts));
    Ok(())
}

/// Where an open directory is: the path has no symbolic link in it, which the image could have put there.
fn real_path(dir: &OwnedFd) -> io::Result<PathBuf> {
    fs::read_link(Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()))
}

/// An absolute path without "..".
fn checked(path: &str) -> Result<&Path, ContainerError> {
    let checked = Path::new(path);
    let climbs = checked
        .components()
        .any(|component| component == Component::ParentDir);
    if !checked.is_absolute() || climbs || path.contains('\0') {
        return Err(ContainerError::Invalid(format!(
            "{path:?} is no absolute path without \"..\""
        )));
    }
    Ok(checked)
}

#[cfg(test)]
mod tests;
