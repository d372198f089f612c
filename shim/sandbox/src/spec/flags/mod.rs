//! Options of `husk run` with a grammar of their own, as Docker has it: each file parses one and puts it into a specification.
//!
//! Called by the doors (parsing) and by `container` (putting). Pure functions; an error names the value.

mod capabilities;
mod env_file;
mod limits;
mod mounts;
mod profile;
mod security;
#[cfg(test)]
mod tests;

pub use capabilities::CapabilityName;
pub(super) use capabilities::{capabilities, changed as changed_capabilities};
pub use env_file::{EnvOption, env_file};
pub use limits::{PidsLimit, Sysctl, Ulimit, label};
pub(super) use limits::{rlimits, sysctls};
pub use mounts::Tmpfs;
pub(super) use mounts::{with_tmpfs, with_volumes};
pub(super) use profile::seccomp_profile;
pub use security::{SeccompChoice, Security, SecurityOption};
