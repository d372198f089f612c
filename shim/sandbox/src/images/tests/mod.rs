//! Images that are made here, turned into EROFS by the real tool, and mounted to be compared. These tests need root.

mod cache;
mod docker;
mod fixture;
mod hostile;
mod layout;
mod mutation;
mod rootfs;
mod roundtrip;
mod scratch;
