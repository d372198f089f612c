//! `cargo xtask rootfs`: the agent as a static program, and the initramfs with nothing but it.
//!
//! - `agent`: builds the agent and writes the archive.
//! - `cpio`: the archive format, without the cpio program.
//! - `elf`: proof that the agent is static and not position-independent.
//! - `sums`: SHA256SUMS of what a VM boots.
//!
//! Called by `commands`.

mod agent;
mod cpio;
mod elf;
mod sums;

pub(crate) use agent::build;
pub(crate) use sums::record;
