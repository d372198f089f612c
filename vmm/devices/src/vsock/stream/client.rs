//! The host half of a stream: the client's socket, and what it did not take yet.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use super::outbox::Outbox;
use crate::vsock::chain::Slices;
use crate::vsock::host::poller::{Poller, Watch};
use crate::vsock::host::socket;

/// What happens to the socket once everything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Afterwards {
    /// It stays.
    Stay,
    /// Its sending side is shut: the client reads the end of the stream.
    ShutWrite,
    /// It is closed.
    Close,
}

/// What came of an attempt to receive from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// This many bytes, not 0.
    Bytes(u32),
    /// Nothing now.
    Nothing,
    /// The client sends no more, but may still receive.
    HalfClosed,
    /// The client is gone.
    Closed,
    /// The socket failed.
    Failed,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: UnixStream,
    port: u32,
    outbox: Outbox,
    afterwards: Afterwards,
    watch: Watch,
    /// There may be something to receive; edges only say when that begins.
    pub(crate) readable: bool,
    /// The client's end of sending was seen.
    pub(crate) ended: bool,
    /// The client does not receive any more.
    deaf: bool,
    shut_write: bool,
}

impl Client {
    /// A client that was accepted; `port` is the stream's host port.
    pub(crate) fn new(socket: UnixStream, port: u32) -> Self {
        Self {
            socket,
            port,
            outbox: Outbox::default(),
            afterwards: Afterwards::Stay,
            watch: Watch::Read,
            readable: true,
            ended: false,
            deaf: false,
            shut_write: false,
        }
    }

    /// Whether receiving could give something.
    pub(crate) fn has_data(&self) -> bool {
        self.readable && !self.ended
    }

    /// Writes the line that makes the socket the stream; whether the client took it. Nothing was written
    /// before, so there is room.
    pub(crate) fn greet(&mut self, line: &[u8]) -> bool {
        socket::send_bytes(&self.socket, line).is_ok_and(|taken| taken == line.len())
    }

    /// Sends guest memory, keeps what the socket does not take; returns how many bytes left our hands.
    pub(crate) fn deliver(&mut self, payload: &Slices<'_>, poller: &Poller) -> usize {
        if self.deaf {
            return payload.len();
        }
        let mut taken = 0;
        if self.outbox.is_empty() {
            taken = match socket::send_slices(&self.socket, payload) {
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => {
                    self.deaf = true;
                    return payload.len();
                }
            };
        }
        if taken < payload.len() {
            self.outbox.push(&payload.split(taken).1);
            self.watch_for(Watch::ReadWrite, poller);
        }
        taken
    }

    /// Writes what waits, then does what was asked for afterwards; returns how many bytes left our hands.
    pub(crate) fn flush(&mut self, poller: &Poller) -> usize {
        let mut left = 0;
        while !self.outbox.is_empty() {
            match socket::send_bytes(&self.socket, self.outbox.waiting()) {
                Ok(count) => {
                    self.outbox.pop(count);
                    left += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return left,
                Err(_) => {
                    self.deaf = true;
                    left += self.outbox.clear();
                }
            }
        }
        self.watch_for(Watch::Read, poller);
        if self.afterwards == Afterwards::ShutWrite && !self.shut_write {
            self.shut_write = true;
            // Fails when the client is gone, which is reported as such.
            drop(self.socket.shutdown(Shutdown::Write));
        }
        left
    }

    /// Asks for the end of the client's stream once everything is written.
    pub(crate) fn finish(&mut self, afterwards: Afterwards) {
        self.afterwards = self.afterwards.max(afterwards);
    }

    /// Nothing is left to be done for the client.
    pub(crate) fn is_done(&self) -> bool {
        self.afterwards == Afterwards::Close && (self.outbox.is_empty() || self.deaf)
    }

    /// The client does not receive any more, without having closed its socket.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// The guest takes no more: the client gets an error when it writes.
    pub(crate) fn shut_read(&mut self) {
        drop(self.socket.shutdown(Shutdown::Read));
        self.ended = true;
    }

    /// Receives into guest memory.
    pub(crate) fn receive(&mut self, into: &Slices<'_>) -> Received {
        match socket::receive_slices(&self.socket, into) {
            Ok(0) => {
                self.ended = true;
                // A client that closed has not half-closed: the guest must not take one for the other.
                if socket::hung_up(&self.socket) {
                    Received::Closed
                } else {
                    Received::HalfClosed
                }
            }
            Ok(count) => u32::try_from(count).map_or(Received::Failed, Received::Bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                Received::Nothing
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.ended = true;
                Received::Closed
            }
            Err(_) => Received::Failed,
        }
    }

    fn watch_for(&mut self, watch: Watch, poller: &Poller) {
        if watch != self.watch && poller.change(&self.socket, self.port, watch).is_ok() {
            self.watch = watch;
        }
    }
}

/// A socket that is closed with unread bytes in it ends as a reset: the client would take the orderly end of
/// the guest's stream for a failure, only because it had said more than the guest wanted to hear.
impl Drop for Client {
    fn drop(&mut self) {
        let mut unread = [0; 8192];
        // More than a socket holds; a client that goes on writing gets its reset.
        for _ in 0..64 {
            if !matches!(self.socket.read(&mut unread), Ok(1..)) {
                break;
            }
        }
    }
}
