//! `cargo xtask rootfs`: the agent as a static program, and the initramfs with nothing but it.
//!
//! - `agent`: writes the archive around the agent.
//! - `musl`: builds static programs for guests.
//! - `cpio`: the archive format, without the cpio program.
//! - `elf`: proof that a program is static and not position-independent.
//! - `sums`: SHA256SUMS of what a VM boots.
//!
//! Called by `commands`.

mod agent;
mod cpio;
mod elf;
mod musl;
mod sums;

pub(crate) use agent::build;
pub(crate) use musl::build as static_program;
pub(crate) use sums::record;
