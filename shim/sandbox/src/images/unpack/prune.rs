//! Removing from the tree: what an entry replaces, and what a whiteout hides.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, FileType, Mode, fstat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::path::EntryPath;
use super::tree::{DIR_FLAGS, Parent, READ_DIR_FLAGS, Tree, TreeError, failed, made_key};

/// What may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    LowerLayers,
}

impl Tree {
    /// Hides a name, or all names, of a directory that lower layers have.
    pub(super) fn whiteout(
        &mut self,
        path: &EntryPath,
        hidden: Option<&OsStr>,
    ) -> Result<Option<File>, TreeError> {
        let parent = match self.known(&path.parent_path(path.parents.len())) {
            Ok(parent) => parent,
            // Nothing is there that could be hidden.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(failed("open its directory")(error)),
        };
        match hidden {
            Some(name) => self.prune(&parent, name, Scope::LowerLayers)?,
            None => self.prune_children(&parent, Scope::LowerLayers)?,
        };
        Ok(None)
    }

    /// Makes room for a new entry.
    pub(super) fn remove(&mut self, parent: &Parent, name: &OsStr) -> Result<(), TreeError> {
        self.prune(parent, name, Scope::Everything).map(|_| ())
    }

    /// Removes a name with all below it; `false` when something of this layer stays.
    fn prune(&mut self, parent: &Parent, name: &OsStr, scope: Scope) -> Result<bool, TreeError> {
        let key = made_key(parent.inode, name);
        let keep = scope == Scope::LowerLayers && self.made.contains(&key);
        let is_dir = match statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => FileType::from_raw_mode(there.st_mode) == FileType::Directory,
            Err(Errno::NOENT) => return Ok(true),
            Err(error) => return Err(failed("look at what it replaces")(error)),
        };
        let mut flags = AtFlags::empty();
        if is_dir {
            let fd = openat(&parent.fd, name, DIR_FLAGS, Mode::empty())
                .map_err(failed("open what it replaces"))?;
            let inode = fstat(&fd)
                .map_err(failed("look at what it replaces"))?
                .st_ino;
            let dir = Parent {
                fd,
                inode,
                depth: parent.depth + 1,
            };
            if !self.prune_children(&dir, scope)? || keep {
                return Ok(false);
            }
            self.dirs.remove(&inode);
            flags = AtFlags::REMOVEDIR;
        } else if keep {
            return Ok(false);
        }
        self.made.remove(&key);
        unlinkat(&parent.fd, name, flags).map_err(failed("remove what it replaces"))?;
        Ok(true)
    }

    fn prune_children(&mut self, dir: &Parent, scope: Scope) -> Result<bool, TreeError> {
        let readable = openat(&dir.fd, ".", READ_DIR_FLAGS, Mode::empty())
            .map_err(failed("open what it replaces"))?;
        let mut names = Vec::new();
        for child in Dir::new(readable).map_err(failed("list what it replaces"))? {
            let child = child.map_err(failed("list what it replaces"))?;
            let name = child.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        let mut empty = true;
        for name in names {
            empty &= self.prune(dir, &name, scope)?;
        }
        Ok(empty)
    }
}
