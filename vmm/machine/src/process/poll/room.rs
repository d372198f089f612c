//! Descriptors that other crates show as bare numbers, borrowed for as long as their owner.

use std::os::fd::{AsRawFd, BorrowedFd};

use husk_devices::virtio::MmioHandler;
use vmm_sys_util::eventfd::EventFd;

/// The descriptor of an eventfd.
pub(super) fn event_fd(event: &EventFd) -> BorrowedFd<'_> {
    // SAFETY: an `EventFd` owns its descriptor, is borrowed for the result's life, and its number is not -1.
    unsafe { BorrowedFd::borrow_raw(event.as_raw_fd()) }
}

/// The descriptor of a device's host side.
pub(super) fn host_fd(device: &dyn MmioHandler) -> Option<BorrowedFd<'_>> {
    let fd = device.host_fd()?;
    // SAFETY: `MmioHandler::host_fd` promises one descriptor for the slot's life, which is borrowed for the result's.
    Some(unsafe { BorrowedFd::borrow_raw(fd) })
}
