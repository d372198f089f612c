//! Puts a descriptor on tokio's event loop: one of the agent's few unsafe rooms, because the loop keeps the number.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Types that own exactly one descriptor and cannot replace it.
pub(crate) trait OwnsDescriptor: AsRawFd {}

impl OwnsDescriptor for OwnedFd {}
impl OwnsDescriptor for File {}

/// Registers a descriptor until the result is dropped.
pub(crate) fn watch<T: OwnsDescriptor>(source: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: the number must stay the same open file until the registration ends. `source` owns its descriptor,
    // `OwnsDescriptor` admits only types that cannot swap it behind a shared reference, nobody here calls
    // `get_mut`, and `AsyncFd` deregisters before it drops `source`.
    let registered = unsafe { AsyncFd::register_with_interest(source, interest) };
    registered.map_err(|refused| refused.into_parts().1)
}
