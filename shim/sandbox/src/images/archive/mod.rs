//! Tar archives, read strictly and with bounded memory: one member at a time, its name and extensions complete.
//!
//! Called by `layout` (an OCI layout in a tar) and `unpack` (layers). Calls nothing.

mod error;
mod fields;
mod pax;
mod reader;

pub use error::ArchiveError;
pub(super) use fields::Extent;
pub(super) use reader::{Archive, Member};
