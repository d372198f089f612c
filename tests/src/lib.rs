//! What the end-to-end tests share: where the artefacts are, a root file system to run, a `husk` with directories of
//! its own, and one guest that serves many checks.

#![forbid(unsafe_code)]

pub mod artefacts;
pub mod cli;
pub mod guest;
pub mod left;
pub mod rootfs;
