//! The two programs that make file systems. Called by the store and the sandbox.

mod command;
pub(super) mod erofs;
pub mod scratch;
