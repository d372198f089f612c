//! Registries: an image's name becomes its manifest, configuration and layers, fetched and verified.
//!
//! `name` reads references by their `grammar`, `settings` what an operator says of registries; `client` asks one registry over
//! `transport`, with `auth` for those that want to know who asks; `remote` shows a registry's image to the reader of
//! layouts, `blobs` keeps layers until they are unpacked.
//! Called by the store. Calls `layout` for documents; every byte is compared with its digest.

mod auth;
mod blobs;
mod client;
mod error;
mod grammar;
mod name;
mod remote;
mod settings;
#[cfg(test)]
mod tests;
mod transport;

pub(super) use blobs::Blobs;
pub use error::RegistryError;
pub use name::{ImageName, NameError};
pub(super) use remote::{Remote, Session};
pub use settings::{PullPolicy, RegistrySettings};
