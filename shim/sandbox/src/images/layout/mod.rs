//! OCI image layouts: a directory or an archive with `index.json` and `blobs/`.
//!
//! `source` finds bytes, `select` chooses the manifest for this machine, `manifest` reads it and the configuration.
//! Called by the store. Calls `archive` and `blob`; every document is verified by its digest before it is read.

mod error;
mod manifest;
mod select;
mod source;

pub use error::LayoutError;
pub(super) use manifest::{OciImage, read};
pub(super) use source::{Source, open_regular};
