//! From an image and what a person asked for to an OCI runtime specification and the machine that fits it.
//!
//! Called by the sandbox; pure functions over [`crate::images`] types.

mod options;

pub use options::{EnvOption, RunOptions, Shape};
