//! Names of entries: checked once, then safe to hand to the kernel below the tree's root.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::error::EntryError;

/// Longest path of an entry; `mkfs.erofs` works with `PATH_MAX` including its own prefix.
const MAX_PATH_BYTES: usize = 3800;
/// Linux takes one byte more, `mkfs.erofs` 1.5 (Debian 12) does not.
const MAX_NAME_BYTES: usize = 254;
/// Deepest directory. `mkfs.erofs` and every walk of ours hold one frame or descriptor a level.
pub(super) const MAX_DEPTH: usize = 256;

/// A path without `.`, `..`, NUL bytes or empty components, relative to the root of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryPath {
    /// Directories above the entry.
    pub(super) parents: Vec<OsString>,
    /// The last component; `None`: the root itself.
    pub(super) name: Option<OsString>,
}

impl EntryPath {
    /// A leading `/` means the root of the image, as with every engine.
    pub(super) fn parse(raw: &[u8]) -> Result<Self, EntryError> {
        if raw.len() > MAX_PATH_BYTES {
            return Err(EntryError::TooLong);
        }
        if raw.contains(&0) || raw.is_empty() {
            return Err(EntryError::BadName);
        }
        let mut parents = Vec::new();
        for component in raw.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err(EntryError::ParentDir),
                name if name.len() > MAX_NAME_BYTES => return Err(EntryError::TooLong),
                name => parents.push(OsString::from_vec(name.to_vec())),
            }
        }
        if parents.len() > MAX_DEPTH {
            return Err(EntryError::TooDeep);
        }
        let name = parents.pop();
        Ok(Self { parents, name })
    }

    /// The first `count` directories as one relative path.
    pub(super) fn parent_path(&self, count: usize) -> PathBuf {
        let parents: PathBuf = self.parents.iter().take(count).collect();
        if parents.as_os_str().is_empty() {
            Path::new(".").to_owned()
        } else {
            parents
        }
    }

    /// The last component's bytes, empty for the root.
    pub(super) fn name_bytes(&self) -> &[u8] {
        self.name
            .as_deref()
            .map(OsStr::as_bytes)
            .unwrap_or_default()
    }
}
