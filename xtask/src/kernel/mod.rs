//! `cargo xtask kernel`: the guest kernel from Debian's source package, fragments and patches.
//!
//! - `flavour`: lean or hardened, and which of them this host needs.
//! - `source`: Debian's package: which version apt offers, downloading and unpacking it.
//! - `fragment`: what the configuration asks for, and what of it survived.
//! - `pack`: a kernel file without holes.
//! - `build`: the steps, the cache and its lock.
//!
//! Called by `commands`; it calls `key`, `process`, `progress` and `host`.

mod build;
mod flavour;
mod fragment;
mod pack;
mod source;

pub(crate) use build::ensure;
pub(crate) use flavour::Flavour;
pub(crate) use pack::pack;
