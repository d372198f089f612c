//! The two listeners: bound once, before any container exists, and never again.
//!
//! AF_VSOCK has no namespaces: a container may create such sockets. It cannot take the agent's ports (they are bound
//! to every CID before its first instruction, and the kernel refuses a second socket on a port that is bound to any),
//! and a connection of its own is refused here, because only the host has CID 2.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    time::Duration,
};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, VsockAddr, bind, getpeername, listen, socket,
};
use rustix::net::{
    AddressFamily as AnyFamily, SocketAddrUnix, SocketFlags, SocketType, acceptfrom_with,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::sleep,
};

use super::conn::Conn;
use crate::readiness::watch;

/// `VMADDR_CID_ANY`: every address that this machine has, and so every later bind of the port is refused.
const ANY_CID: u32 = u32::MAX;

/// `VMADDR_CID_HOST`.
pub(crate) const HOST_CID: u32 = 2;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Between attempts while descriptors or memory are short.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// Who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peers {
    /// vsock: the host alone.
    Host,
    /// UNIX socket of a test, guarded by its directory's permissions.
    Local,
}

/// A listening socket on the event loop.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: AsyncFd<OwnedFd>,
    peers: Peers,
}

impl Listener {
    /// Listens on a vsock port.
    pub(crate) fn vsock(port: u32) -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Vsock,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )?;
        bind(fd.as_raw_fd(), &VsockAddr::new(ANY_CID, port))?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        Self::new(fd, Peers::Host)
    }

    /// Listens on a UNIX socket: the transport of tests that run without a virtual machine.
    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        let fd = rustix::net::socket_with(
            AnyFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        rustix::net::bind(&fd, &SocketAddrUnix::new(path)?)?;
        rustix::net::listen(&fd, BACKLOG)?;
        Self::new(fd, Peers::Local)
    }

    fn new(fd: OwnedFd, peers: Peers) -> io::Result<Self> {
        Ok(Self {
            socket: watch(fd, Interest::READABLE)?,
            peers,
        })
    }

    /// The next connection of the host; others are closed at once. A connection that cannot be taken, because
    /// descriptors or memory are short, stays in the queue.
    pub(crate) async fn accept(&self) -> Conn {
        loop {
            let accepted = self
                .socket
                .async_io(Interest::READABLE, |fd| {
                    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                    Ok(acceptfrom_with(fd.as_fd(), flags)?.0)
                })
                .await;
            match accepted {
                Ok(connection) if self.admits(&connection) => {
                    if let Ok(conn) = Conn::new(connection) {
                        return conn;
                    }
                }
                Ok(_stranger) => {}
                // There is no event for "a descriptor is free again".
                Err(_short) => sleep(SHORTAGE_PAUSE).await,
            }
        }
    }

    fn admits(&self, connection: &OwnedFd) -> bool {
        self.peers == Peers::Local
            || getpeername::<VsockAddr>(connection.as_raw_fd())
                .is_ok_and(|peer| peer.cid() == HOST_CID)
    }
}
