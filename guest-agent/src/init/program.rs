//! The bytes of `husk-init` as something that can be executed.

use std::{ffi::CStr, io, os::fd::OwnedFd};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    io::{Errno, write},
};

/// What `build.rs` has made.
const BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/husk-init"));

/// Its first argument, and what `/proc/PID/exe` shows.
pub(crate) const NAME: &CStr = c"husk-init";

/// A file without a name, closed by `execve`, that nobody can change: who is root in the container has it as
/// /proc/1/exe.
pub(crate) fn program() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let program = memfd_create(NAME, flags)?;
    if write(&program, BYTES)? != BYTES.len() {
        return Err(Errno::NOSPC.into());
    }
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&program, seals)?;
    Ok(program)
}
