//! The numbers of x86_64's system calls.

use std::str::FromStr;

use syscalls::x86_64::Sysno;

/// The number of a system call; none if x86_64 has no such call.
pub(super) fn number(name: &str) -> Option<u32> {
    let call = Sysno::from_str(name).ok()?;
    u32::try_from(call.id()).ok()
}
