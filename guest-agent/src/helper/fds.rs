//! The one unsafe room of the helper: it takes over the descriptor that the agent left open for it.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Owns the report pipe from now on, and lets no `execve` inherit it.
pub(super) fn adopt(report: RawFd) -> std::io::Result<OwnedFd> {
    // SAFETY: the descriptor must be open and owned by nobody else. The agent left exactly this one open beside 0-2
    // and named it in the job; the helper has opened nothing before, and calls this once.
    let report = unsafe { OwnedFd::from_raw_fd(report) };
    fcntl_setfd(&report, FdFlags::CLOEXEC)?;
    Ok(report)
}
