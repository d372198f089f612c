//! Why there is no image.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::layout::LayoutError;
use super::scan::RootFsError;
use super::unpack::UnpackError;

/// Why a reference gives no image. The cause is in `source()`; the text does not repeat it.
#[derive(Debug, Error)]
pub enum ImageError {
    /// Nothing is there under this name.
    #[error("image {reference:?} not found: {reason}")]
    NotFound {
        /// What was asked for.
        reference: String,
        /// Why, and what could be given.
        reason: String,
    },
    /// Something is there, and it is none of the three kinds.
    #[error("{path} is no image: {reason}")]
    Kind {
        /// Where it is.
        path: PathBuf,
        /// Why it is none.
        reason: &'static str,
    },
    /// The source cannot be looked at.
    #[error("cannot read {path}")]
    Source {
        /// Where it is.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The layout or registry gives no image.
    #[error("{what}")]
    Layout {
        /// Where it is, or what it is called.
        what: String,
        /// Why.
        source: Box<LayoutError>,
    },
    /// A layer cannot be unpacked.
    #[error("layer {digest}")]
    Layer {
        /// Which layer.
        digest: String,
        /// Why.
        source: Box<UnpackError>,
    },
    /// A root file system directory cannot be used.
    #[error("rootfs directory {path}")]
    RootFs {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: RootFsError,
    },
    /// A bundle's `config.json` is not usable.
    #[error("OCI bundle {path}: config.json: {reason}")]
    Bundle {
        /// Where the bundle is.
        path: PathBuf,
        /// The field and what is wrong with it.
        reason: String,
    },
    /// A user data base that is not usable.
    #[error("{file} of the image {reason}")]
    Accounts {
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The image cache cannot be used.
    #[error("image cache: cannot {action} {path}")]
    Cache {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// `mkfs.erofs` is missing or failed.
    #[error("mkfs.erofs {0}")]
    Mkfs(String),
    /// The file system of the cache is full.
    #[error(
        "no space left in {path}: {free} bytes are free{needed} (free some, or move the image directory)"
    )]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// Free bytes.
        free: u64,
        /// What was needed, as the end of a sentence; empty when nobody knows.
        needed: String,
    },
    /// The observer called it off.
    #[error("cancelled")]
    Cancelled,
}
