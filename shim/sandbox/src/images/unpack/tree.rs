//! The tree that layers are unpacked into. Every name is resolved by the kernel below the root (`RESOLVE_IN_ROOT`): a
//! symbolic link in the middle of a path leads to another place of the image, never out of it.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, fstatvfs, futimens, linkat,
    makedev, mkdirat, mknodat, openat, openat2, statat, symlinkat,
};
use rustix::io::Errno;

use super::entry::{Attributes, Entry, EntryKind};
use super::error::EntryError;
use super::metadata::{ModeBits, apply_named, apply_open, times};
use super::path::{EntryPath, MAX_DEPTH};

/// Opens a directory to work in.
pub(super) const DIR_FLAGS: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Opens a directory to list or change it.
pub(super) const READ_DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Why an entry was not carried out.
#[derive(Debug)]
pub(super) enum TreeError {
    /// The entry itself is not acceptable.
    Refused(EntryError),
    /// The kernel refused.
    Io(&'static str, io::Error),
}

impl From<EntryError> for TreeError {
    fn from(error: EntryError) -> Self {
        Self::Refused(error)
    }
}

/// Turns an error of the kernel into the tree's.
pub(super) fn failed(action: &'static str) -> impl Fn(Errno) -> TreeError {
    move |error| TreeError::Io(action, error.into())
}

/// A tree that grows layer by layer.
#[derive(Debug)]
pub(in super::super) struct Tree {
    root: OwnedFd,
    /// Every directory of the tree by inode number.
    pub(super) dirs: HashMap<u64, DirState>,
    /// What this layer made, as hashes of (inode of the directory, name): whiteouts only hide lower layers.
    pub(super) made: HashSet<u64>,
}

/// What is known of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct DirState {
    depth: usize,
    mtime: (i64, u32),
}

/// An open directory of the tree.
pub(super) struct Parent {
    pub(super) fd: OwnedFd,
    pub(super) inode: u64,
    pub(super) depth: usize,
}

impl Tree {
    /// Makes an empty tree: a new directory at `path`, which must lie in a directory that only root can enter.
    pub(in super::super) fn create(path: &Path) -> io::Result<Self> {
        mkdirat(CWD, path, Mode::from_raw_mode(0o755))?;
        let root = openat(CWD, path, DIR_FLAGS, Mode::empty())?;
        let inode = fstat(&root)?.st_ino;
        let state = DirState {
            depth: 0,
            mtime: (0, 0),
        };
        Ok(Self {
            root,
            dirs: HashMap::from([(inode, state)]),
            made: HashSet::new(),
        })
    }

    /// The root directory.
    pub(in super::super) fn root(&self) -> impl AsFd {
        &self.root
    }

    /// From now on, what is there belongs to lower layers.
    pub(super) fn begin_layer(&mut self) {
        self.made.clear();
    }

    /// Carries out everything but a file's content; a file is returned open for it.
    pub(super) fn apply(&mut self, entry: &Entry) -> Result<Option<File>, TreeError> {
        match &entry.kind {
            EntryKind::Ignored => return Ok(None),
            EntryKind::Whiteout(hidden) => return self.whiteout(&entry.path, Some(hidden)),
            EntryKind::Opaque => return self.whiteout(&entry.path, None),
            _ => {}
        }
        let Some(name) = entry.path.name.as_deref() else {
            return self.root_entry(entry);
        };
        let parent = self.parent(&entry.path)?;
        self.make(&parent, name, entry)
    }

    fn make(
        &mut self,
        parent: &Parent,
        name: &OsStr,
        entry: &Entry,
    ) -> Result<Option<File>, TreeError> {
        let attributes = &entry.attributes;
        if entry.kind == EntryKind::Directory {
            self.directory(parent, name, attributes)?;
            self.made.insert(made_key(parent.inode, name));
            return Ok(None);
        }
        if let EntryKind::HardLink(target) = &entry.kind {
            self.hard_link(parent, name, target)?;
            self.made.insert(made_key(parent.inode, name));
            return Ok(None);
        }
        self.remove(parent, name)?;
        let file = match &entry.kind {
            EntryKind::File { size, .. } => Some(new_file(parent, name, *size)?),
            EntryKind::Symlink(target) => {
                symlinkat(target.as_os_str(), &parent.fd, name)
                    .map_err(failed("make the symbolic link"))?;
                apply_named(&parent.fd, name, attributes, ModeBits::None)
                    .map_err(|error| TreeError::Io("set its attributes", error))?;
                None
            }
            EntryKind::Fifo => Self::node(parent, name, attributes, FileType::Fifo, 0)?,
            EntryKind::CharDevice { major, minor } => {
                let device = makedev(*major, *minor);
                Self::node(parent, name, attributes, FileType::CharacterDevice, device)?
            }
            EntryKind::BlockDevice { major, minor } => {
                let device = makedev(*major, *minor);
                Self::node(parent, name, attributes, FileType::BlockDevice, device)?
            }
            _ => None,
        };
        self.made.insert(made_key(parent.inode, name));
        Ok(file)
    }

    /// Nothing ever opens a device of the tree: it lies below a directory that only root can enter, and is only there
    /// to be copied into the image.
    fn node(
        parent: &Parent,
        name: &OsStr,
        attributes: &Attributes,
        kind: FileType,
        device: u64,
    ) -> Result<Option<File>, TreeError> {
        mknodat(&parent.fd, name, kind, Mode::from_raw_mode(0o600), device)
            .map_err(failed("make the device or pipe"))?;
        apply_named(&parent.fd, name, attributes, ModeBits::Has)
            .map_err(|error| TreeError::Io("set its attributes", error))?;
        Ok(None)
    }

    fn root_entry(&mut self, entry: &Entry) -> Result<Option<File>, TreeError> {
        if entry.kind != EntryKind::Directory {
            return Err(EntryError::BadName.into());
        }
        let root = openat(&self.root, ".", READ_DIR_FLAGS, Mode::empty())
            .map_err(failed("open the root"))?;
        self.dress(&root, &entry.attributes)?;
        Ok(None)
    }

    fn directory(
        &mut self,
        parent: &Parent,
        name: &OsStr,
        attributes: &Attributes,
    ) -> Result<(), TreeError> {
        let there = statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_dir =
            there.is_ok_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::Directory);
        if !is_dir {
            self.remove(parent, name)?;
            self.new_directory(parent, name)?;
        }
        let dir = openat(&parent.fd, name, READ_DIR_FLAGS, Mode::empty())
            .map_err(failed("open the directory"))?;
        self.dress(&dir, attributes)
    }

    fn dress(&mut self, dir: &OwnedFd, attributes: &Attributes) -> Result<(), TreeError> {
        apply_open(dir, attributes).map_err(|error| TreeError::Io("set its attributes", error))?;
        let inode = fstat(dir).map_err(failed("look at the directory"))?.st_ino;
        if let Some(state) = self.dirs.get_mut(&inode) {
            state.mtime = attributes.mtime;
        }
        Ok(())
    }

    fn new_directory(&mut self, parent: &Parent, name: &OsStr) -> Result<Parent, TreeError> {
        let depth = parent.depth + 1;
        if depth > MAX_DEPTH {
            return Err(EntryError::TooDeep.into());
        }
        // The mode is set exactly: mkdir's is cut by the umask.
        mkdirat(&parent.fd, name, Mode::from_raw_mode(0o700))
            .map_err(failed("make the directory"))?;
        let fd = openat(&parent.fd, name, READ_DIR_FLAGS, Mode::empty())
            .map_err(failed("open the directory"))?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o755)).map_err(failed("set its mode"))?;
        let inode = fstat(&fd).map_err(failed("look at the directory"))?.st_ino;
        self.dirs.insert(
            inode,
            DirState {
                depth,
                mtime: (0, 0),
            },
        );
        Ok(Parent { fd, inode, depth })
    }

    fn hard_link(
        &mut self,
        parent: &Parent,
        name: &OsStr,
        target: &EntryPath,
    ) -> Result<(), TreeError> {
        let old_name = target.name.as_deref().ok_or(EntryError::LinkTarget)?;
        let old_parent = self
            .open_dir(&target.parent_path(target.parents.len()))
            .map_err(|_| EntryError::LinkTarget)?;
        let old = statat(&old_parent, old_name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|_| EntryError::LinkTarget)?;
        if FileType::from_raw_mode(old.st_mode) == FileType::Directory {
            return Err(EntryError::LinkTarget.into());
        }
        let there = statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        if there.is_ok_and(|there| there.st_ino == old.st_ino) {
            return Ok(());
        }
        self.remove(parent, name)?;
        linkat(&old_parent, old_name, &parent.fd, name, AtFlags::empty())
            .map_err(failed("make the hard link"))
    }

    /// The directory that an entry goes into; what is missing of it is made.
    fn parent(&mut self, path: &EntryPath) -> Result<Parent, TreeError> {
        let count = path.parents.len();
        match self.known(&path.parent_path(count)) {
            Ok(parent) => return Ok(parent),
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(EntryError::NotDirectory.into()),
            Err(error) => return Err(failed("open its directory")(error)),
        }
        let mut parent = self
            .known(Path::new("."))
            .map_err(failed("open the root"))?;
        for (index, name) in path.parents.iter().enumerate() {
            parent = match self.known(&path.parent_path(index + 1)) {
                Ok(next) => next,
                Err(Errno::NOENT) => {
                    // A dangling symbolic link of this name is in the way: its target is not ours to guess.
                    if statat(&parent.fd, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                        return Err(EntryError::NotDirectory.into());
                    }
                    let made = self.new_directory(&parent, name)?;
                    self.made.insert(made_key(parent.inode, name));
                    made
                }
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(EntryError::NotDirectory.into()),
                Err(error) => return Err(failed("open its directory")(error)),
            };
        }
        Ok(parent)
    }

    /// Opens a directory below the root.
    pub(super) fn known(&self, path: &Path) -> Result<Parent, Errno> {
        let fd = self.open_dir(path)?;
        let inode = fstat(&fd)?.st_ino;
        let depth = self.dirs.get(&inode).map_or(MAX_DEPTH, |state| state.depth);
        Ok(Parent { fd, inode, depth })
    }

    fn open_dir(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.root, path, flags, Mode::empty(), resolve)
    }

    /// Gives every directory its own time back, which later entries below it have changed.
    pub(in super::super) fn finish(&self) -> io::Result<()> {
        self.finish_dir(&openat(&self.root, ".", READ_DIR_FLAGS, Mode::empty())?)
    }

    fn finish_dir(&self, dir: &OwnedFd) -> io::Result<()> {
        let inode = fstat(dir)?.st_ino;
        let mut below = Vec::new();
        for child in Dir::read_from(dir)? {
            let child = child?;
            let name = child.file_name();
            let is_dir = child.file_type() == FileType::Directory;
            if is_dir && !matches!(name.to_bytes(), b"." | b"..") {
                below.push(name.to_owned());
            }
        }
        for name in below {
            self.finish_dir(&openat(dir, name, READ_DIR_FLAGS, Mode::empty())?)?;
        }
        let mtime = self.dirs.get(&inode).map_or((0, 0), |state| state.mtime);
        futimens(dir, &times(mtime))?;
        Ok(())
    }
}

fn new_file(parent: &Parent, name: &OsStr, size: u64) -> Result<File, TreeError> {
    let space = fstatvfs(&parent.fd).map_err(failed("ask for free space"))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if size > free {
        return Err(EntryError::NoSpace { needed: size, free }.into());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&parent.fd, name, flags, Mode::from_raw_mode(0o600));
    Ok(file.map_err(failed("make the file"))?.into())
}

/// How an entry is remembered in `made`.
pub(super) fn made_key(inode: u64, name: &OsStr) -> u64 {
    let mut hasher = DefaultHasher::new();
    (inode, name).hash(&mut hasher);
    hasher.finish()
}
