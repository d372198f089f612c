//! What can be wrong with a layout.

use std::io;

use thiserror::Error;

use super::super::archive::ArchiveError;

/// Why a layout gives no image.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// A file of the layout cannot be read.
    #[error("cannot read {what}")]
    Io {
        /// Which file.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The layout's archive is damaged.
    #[error("cannot read the archive")]
    Archive(#[from] ArchiveError),
    /// A file that must be there is not.
    #[error("{0} is missing")]
    Missing(String),
    /// A document is not what it should be.
    #[error("{what} is not valid")]
    Json {
        /// Which document.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A blob's size is not the one in its descriptor.
    #[error("blob {digest} has {found} bytes, expected {expected}")]
    Size {
        /// Which blob.
        digest: String,
        /// Its size.
        found: u64,
        /// The size that was promised.
        expected: u64,
    },
    /// A blob's content is not the one of its digest.
    #[error("blob {digest} has digest {found}")]
    Digest {
        /// Which blob.
        digest: String,
        /// The digest of its content.
        found: String,
    },
    /// A digest with an algorithm that is not known.
    #[error("digest {0:?} is neither sha256 nor sha512")]
    Algorithm(String),
    /// A type of content that an image cannot be made from.
    #[error("{what} has the unsupported media type {media_type:?}")]
    MediaType {
        /// Which blob.
        what: String,
        /// Its type.
        media_type: String,
    },
    /// No image for this kind of machine.
    #[error("no image for linux/amd64, only for {0}")]
    Platform(String),
    /// More than one image, or none of that name.
    #[error("{problem}; it has {names}")]
    Choice {
        /// What is wrong with the choice.
        problem: String,
        /// The names in the index.
        names: String,
    },
    /// Larger than any honest document, or nested deeper.
    #[error("{0}")]
    Excess(String),
    /// The configuration does not fit the manifest.
    #[error("manifest has {layers} layers, configuration has {diff_ids} diff ids")]
    LayerCount {
        /// Layers of the manifest.
        layers: usize,
        /// Diff ids of the configuration.
        diff_ids: usize,
    },
}
