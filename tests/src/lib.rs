//! What the end-to-end tests share: where the artefacts are, a root file system to run, a `husk` with directories of
//! its own, one guest that serves many checks, and the comparison with runc.

#![forbid(unsafe_code)]

pub mod artefacts;
pub mod cli;
pub mod compare;
pub mod guest;
pub mod left;
pub mod pty;
pub mod rootfs;
