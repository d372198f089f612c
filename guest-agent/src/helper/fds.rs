//! The one unsafe room of the helper: it takes over the descriptors that the agent left open for it.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Owns a descriptor of the job from now on, and lets no `execve` inherit it.
pub(super) fn adopt(number: RawFd) -> std::io::Result<OwnedFd> {
    // SAFETY: the descriptor must be open and owned by nobody else. The agent left those of the job open beside 0-2, the
    // report pipe and the pod's namespaces, all of them different; the helper has opened nothing before, and calls this
    // once for each.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
