//! The calls of the jail whose safety depends on the rest of the process.

use std::{io, ptr};

use rustix::io::Errno;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// linux/keyctl.h
const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;

/// The first descriptor that is not a standard stream.
const FIRST: u32 = 3;

/// Close every descriptor above the standard streams, whatever the launcher left open.
///
/// # Errors
/// The kernel is older than 5.9.
///
/// # Safety
/// Nothing in this process may own such a descriptor: this is for the first line of `main`.
pub unsafe fn close_inherited() -> io::Result<()> {
    // SAFETY: the call takes numbers only; the caller says that nobody owns the descriptors behind them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, 0_u32) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Let go of the launcher's session keyring for an empty one of one's own; a kernel without keyrings has none to leave.
pub(super) fn own_keyring() -> rustix::io::Result<()> {
    let unnamed = ptr::null::<libc::c_char>();
    // SAFETY: without a name the call takes numbers only (keyctl_join_session_keyring(3)).
    let result = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, unnamed) };
    if result >= 0 {
        return Ok(());
    }
    match Errno::from_io_error(&io::Error::last_os_error()) {
        None | Some(Errno::NOSYS) => Ok(()),
        Some(errno) => Err(errno),
    }
}

/// Leave these namespaces, which never include the table of descriptors.
pub(super) fn unshare(namespaces: UnshareFlags) -> rustix::io::Result<()> {
    let namespaces = namespaces - UnshareFlags::FILES;
    // SAFETY: unsafe only for `FILES`, which parts the threads' tables of descriptors; it was taken out above.
    unsafe { unshare_unsafe(namespaces) }
}

#[cfg(test)]
#[path = "tests/room.rs"]
mod tests;
