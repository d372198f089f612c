//! The bytes of `husk-init` as something that can be executed.

use std::{
    ffi::{CStr, c_char},
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

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

/// Becomes the program; returns only when that failed. Allocates nothing. The arrays hold addresses of strings, which
/// the callers keep, and end with a null.
pub(crate) fn become_program(
    program: BorrowedFd<'_>,
    arguments: &[*const c_char],
    environment: &[*const c_char],
) -> io::Error {
    // SAFETY: the path is empty and ends with a null; of the arrays the kernel reads only, up to their null, and answers
    // EFAULT where an address is none.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}
