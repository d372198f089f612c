//! From an image and what a person asked for to an OCI runtime specification and the machine that fits it.
//!
//! `container` is the door; `command`, `environment` and `user` each follow Docker's rules for one thing, `flags` for options with a
//! grammar, `defaults` is
//! what every container gets, `seccomp` what it may call, `shape` sizes the machine. Called by the sandbox. Pure functions over
//! [`crate::images`] types: the caller's environment comes as a function, nothing is read from disk.

mod command;
mod container;
mod defaults;
mod environment;
mod error;
mod exec;
mod flags;
mod options;
mod seccomp;
mod shape;
#[cfg(test)]
mod tests;
mod user;

pub use container::container;
pub use error::SpecError;
pub use exec::{ExecOptions, exec_process};
pub use flags::{
    CapabilityName, EnvOption, PidsLimit, SeccompChoice, Security, SecurityOption, Sysctl, Tmpfs,
    Ulimit, env_file, label,
};
pub use oci_spec::runtime::Spec;
pub use options::{RunOptions, Shape};
pub use seccomp::default_profile;
pub use shape::shape;
