//! References: what a person types, and which of the kinds of image is there.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::ImageError;
use super::layout::open_regular;

/// The kinds of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory with `index.json`.
    LayoutDir,
    /// A tar of such a directory, perhaps compressed.
    LayoutArchive,
    /// A directory with `config.json`.
    Bundle,
    /// Any other directory.
    RootFs,
}

/// Where a reference leads, and the name after a colon when the whole is no path; `None` when nothing is there.
pub(super) fn locate(reference: &str) -> Result<Option<(PathBuf, Option<String>)>, ImageError> {
    let path = PathBuf::from(reference);
    let unreadable = |path: &Path, source| ImageError::Source {
        path: path.to_owned(),
        source,
    };
    if !reference.is_empty()
        && path
            .try_exists()
            .map_err(|error| unreadable(&path, error))?
    {
        return Ok(Some((path, None)));
    }
    if let Some((front, tag)) = reference.rsplit_once(':')
        && !front.is_empty()
        && !tag.is_empty()
    {
        let path = PathBuf::from(front);
        if path
            .try_exists()
            .map_err(|error| unreadable(&path, error))?
        {
            return Ok(Some((path, Some(tag.to_owned()))));
        }
    }
    Ok(None)
}

/// Looks at what is there.
pub(super) fn kind(path: &Path) -> Result<Kind, ImageError> {
    let unreadable = |source| ImageError::Source {
        path: path.to_owned(),
        source,
    };
    let none = |reason| ImageError::Kind {
        path: path.to_owned(),
        reason,
    };
    let about = path.metadata().map_err(unreadable)?;
    if about.is_dir() {
        if path.join("index.json").exists() || path.join("oci-layout").exists() {
            return Ok(Kind::LayoutDir);
        }
        if path.join("config.json").exists() {
            return Ok(Kind::Bundle);
        }
        let empty = path.read_dir().map_err(unreadable)?.next().is_none();
        return if empty {
            Err(none("the directory is empty"))
        } else {
            Ok(Kind::RootFs)
        };
    }
    let file = open_regular(path).map_err(unreadable)?;
    let mut start = Vec::new();
    file.take(512).read_to_end(&mut start).map_err(unreadable)?;
    let tar = start.get(257..262) == Some(b"ustar");
    let gzip = start.starts_with(&[0x1f, 0x8b]);
    if tar || gzip {
        return Ok(Kind::LayoutArchive);
    }
    Err(none(
        "it is neither a directory nor a tar archive (plain or gzip)",
    ))
}
