//! For tests: a socket pair in place of a vsock connection.

use std::os::{fd::OwnedFd, unix::net::UnixStream as StdStream};

use tokio::net::UnixStream;

use super::Conn;

/// The agent's side of a connection and the host's.
pub(super) fn connection() -> (Conn, UnixStream) {
    let (conn, host) = plain_connection();
    (conn, UnixStream::from_std(host).unwrap())
}

/// The same, with a host that does not wait.
pub(super) fn plain_connection() -> (Conn, StdStream) {
    let (agent, host) = StdStream::pair().unwrap();
    agent.set_nonblocking(true).unwrap();
    host.set_nonblocking(true).unwrap();
    (Conn::new(OwnedFd::from(agent)).unwrap(), host)
}
