//! OCI image layouts (a directory or an archive with `index.json` and `blobs/`) and docker archives (`manifest.json`).
//!
//! `source` finds bytes, `select` chooses the manifest for this machine, `manifest` reads it, `docker` the other kind of
//! archive, `config` the configuration that both have. Called by the store. Calls `archive` and `blob`; every document
//! that has a digest is verified by it before it is read.

mod config;
mod docker;
mod error;
mod manifest;
mod select;
mod source;

pub(super) use config::OciImage;
pub use error::LayoutError;
pub(super) use manifest::read;
pub(super) use source::{Source, open_regular};
