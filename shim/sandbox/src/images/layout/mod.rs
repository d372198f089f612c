//! OCI image layouts (a directory or an archive with `index.json` and `blobs/`) and docker archives (`manifest.json`).
//!
//! `source` finds bytes, `select` chooses the manifest for this machine, `manifest` reads it, `docker` the other kind of
//! archive, `config` the configuration that both have; `documents` is what a registry
//! gives in place of a layout. Called by the store. Calls `archive` and `blob`; every document
//! that has a digest is verified by it before it is read.

mod config;
mod docker;
mod documents;
mod error;
mod manifest;
mod select;
mod source;

pub(super) use config::OciImage;
pub(super) use documents::{Ambiguity, Documents, MAX_DOCUMENT_BYTES, verify};
pub use error::LayoutError;
pub(super) use manifest::{ImageParts, LayerPart, form, parts, read};
pub(super) use source::{Source, open_regular};
