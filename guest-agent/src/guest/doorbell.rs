//! The two doorbells: a connect to the host that is refused like every other, but that the VMM notices.

use std::{io, os::fd::AsRawFd};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, socket},
};

use crate::stream::HOST_CID;

/// Rings one: the connect request is on its way when this returns, and nobody waits for the answer.
pub(crate) fn ring(port: u32) -> io::Result<()> {
    let bell = socket(
        AddressFamily::Vsock,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?;
    match connect(bell.as_raw_fd(), &VsockAddr::new(HOST_CID, port)) {
        // In progress, or refused already: the request has been sent either way.
        Ok(()) | Err(Errno::EINPROGRESS | Errno::ECONNRESET | Errno::ECONNREFUSED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
