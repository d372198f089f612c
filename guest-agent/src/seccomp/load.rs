//! The one unsafe room of seccomp: the system call that gives a program to the kernel.

use std::io;

use super::program::{Instruction, Program};

/// seccomp(2)'s operation.
const SET_MODE_FILTER: libc::c_uint = 1;

// What the kernel is given is an array of its own type.
const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());
const _: () = assert!(align_of::<Instruction>() == align_of::<libc::sock_filter>());

/// Filters this thread, and what it starts, from now on. Allocates nothing, so it may be called after a fork.
pub(crate) fn load(program: &Program) -> io::Result<()> {
    let length = u16::try_from(program.instructions.len())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.instructions.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the kernel reads `len` instructions behind `filter`, which are borrowed for the call; they have the layout
    // of `struct sock_filter` (field by field the same, checked above), and it writes nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SET_MODE_FILTER,
            program.flags,
            &raw const filter,
        )
    };
    match answer {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error()),
        // With TSYNC: a thread that could not be filtered.
        _ => Err(io::Error::from(io::ErrorKind::Other)),
    }
}
