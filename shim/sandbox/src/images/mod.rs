//! Images: from what a person names to one read-only EROFS file and what the image says about itself.
//!
//! `store` is the door; `pull` takes images by name from `registry` and `names`; `layout`, `local` and `scan` look at sources, `unpack` turns layers into a tree, `tools` runs the
//! programs that make file systems, `cache` keeps what was made; `archive` and `blob` read bytes.
//! Called by the sandbox. Calls no other room. Everything read here may be hostile.

mod archive;
mod blob;
mod cache;
mod error;
mod layout;
mod local;
mod names;
mod pull;
mod reference;
mod registry;
mod scan;
mod store;
#[cfg(test)]
mod tests;
mod tools;
mod types;
mod unpack;

pub use archive::ArchiveError;
pub use error::ImageError;
pub use layout::LayoutError;
pub use registry::{ImageName, NameError, PullPolicy, RegistryError, RegistrySettings};
pub use scan::RootFsError;
pub use store::Store;
pub use tools::scratch;
pub use types::{
    Accounts, CacheUse, Image, ImageConfig, ImageSource, Limits, Observer, Origin, Progress, Stage,
};
pub use unpack::{EntryError, UnpackError};
