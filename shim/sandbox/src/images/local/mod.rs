//! What is looked up in a tree that is there already: a rootfs directory's identity, a bundle's specification, the user
//! data base of any image. Called by the store.

pub(super) mod accounts;
pub(super) mod bundle;
mod rootfs;

pub use rootfs::RootFsError;
pub(super) use rootfs::{Scan, scan};
