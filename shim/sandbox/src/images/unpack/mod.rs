//! Layers become a tree in a private directory, in which no name of a layer reaches anything outside.
//!
//! `entry` turns an archive's member into a checked entry (pure), `tree` carries entries out, `layer` streams one blob
//! through digest, decompression and both of them. Called by the store. Calls `archive`.

mod entry;
mod error;
mod layer;
mod metadata;
mod path;
mod prune;
mod stream;
mod tree;

pub(super) use error::needed_space;
pub use error::{EntryError, UnpackError};
pub(super) use layer::{Budget, LayerBlob, unpack};
pub(super) use stream::Compression;
pub(super) use tree::Tree;
