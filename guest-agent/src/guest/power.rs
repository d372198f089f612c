//! The end of the machine.

use std::io;

use rustix::system::{RebootCommand, reboot};

/// Writes every dirty page back.
pub(crate) fn write_back() {
    rustix::fs::sync();
}

/// Resets the machine; the VMM takes that for its end. Returns only when the kernel refuses.
pub(crate) fn reset() -> io::Result<()> {
    reboot(RebootCommand::Restart)?;
    Ok(())
}
