//! One control connection: bounded in both directions, never waited for.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use super::letterbox::encode;
use super::order::{self, ConnectionId, Order};
use crate::api::{Message, Reply};
use crate::process::frames::{FrameReader, Received};
use crate::process::poll::Interest;

/// The longest request; the longest command is below 200 bytes.
const MAX_REQUEST_BYTES: usize = 4096;

/// Requests of one client that wait for their answer; more are left in the socket.
const MAX_WAITING: usize = 8;

/// What a client may leave unread beside the socket's own buffer before it is given up.
const MAX_OUTBOX_BYTES: usize = 256 << 10;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Requests are taken.
    Open,
    /// The client will send no more, but may listen.
    Listening,
    /// The client broke the protocol: what is in the outbox is the last it hears.
    Closing,
    /// Nothing goes in or out any more.
    Gone,
}

#[derive(Debug)]
pub(super) struct Connection {
    id: ConnectionId,
    socket: OwnedFd,
    reader: FrameReader,
    outbox: VecDeque<u8>,
    waiting: usize,
    phase: Phase,
}

impl Connection {
    /// `socket` must not block.
    pub(super) fn new(id: ConnectionId, socket: OwnedFd) -> Self {
        Self {
            id,
            socket,
            reader: FrameReader::new(MAX_REQUEST_BYTES),
            outbox: VecDeque::new(),
            waiting: 0,
            phase: Phase::Open,
        }
    }

    pub(super) fn interest(&self) -> Interest {
        Interest {
            read: self.phase == Phase::Open && self.waiting < MAX_WAITING,
            write: !self.outbox.is_empty() && self.phase != Phase::Gone,
        }
    }

    /// Whether it can be forgotten.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Gone || (self.phase == Phase::Closing && self.outbox.is_empty())
    }

    /// Whether everything said has reached the socket.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty() || self.phase == Phase::Gone
    }

    /// Take the requests that are there.
    pub(super) fn read(&mut self, take: &mut dyn FnMut(Order)) {
        while self.interest().read {
            match self.reader.receive(self.socket.as_fd()) {
                Ok(Received::Frame(frame)) => match order::parse(self.id, frame) {
                    Ok(order) => {
                        self.waiting += 1;
                        take(order);
                    }
                    Err(error) => self.refuse(&error.to_string()),
                },
                Ok(Received::Pending) => return,
                Ok(Received::Closed) => self.phase = Phase::Listening,
                Err(error) => self.refuse(&error.to_string()),
            }
        }
    }

    /// The answer to a request that was taken.
    pub(super) fn reply(&mut self, frame: &[u8]) {
        self.waiting = self.waiting.saturating_sub(1);
        self.say(frame);
    }

    /// Any message.
    pub(super) fn say(&mut self, frame: &[u8]) {
        if self.phase == Phase::Closing {
            return;
        }
        if self.outbox.len() + frame.len() > MAX_OUTBOX_BYTES {
            tracing::warn!(
                connection = self.id.0,
                "control client does not read: given up"
            );
            self.phase = Phase::Gone;
            return;
        }
        self.outbox.extend(frame);
        self.flush();
    }

    /// Write what the socket takes.
    pub(super) fn flush(&mut self) {
        while self.phase != Phase::Gone && !self.outbox.is_empty() {
            let (bytes, _) = self.outbox.as_slices();
            match send(
                &self.socket,
                bytes,
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.phase = Phase::Gone,
            }
        }
    }

    /// The other side is gone altogether: what it had sent was read before.
    pub(super) fn hang_up(&mut self) {
        self.phase = Phase::Gone;
    }

    /// Say what is wrong with the stream and end it: where its next message begins is not known any more.
    pub(super) fn refuse(&mut self, text: &str) {
        tracing::warn!(connection = self.id.0, text, "control client refused");
        self.say(&encode(&Message::Reply {
            id: 0,
            result: Reply::Refused(text.to_owned()),
        }));
        if self.phase != Phase::Gone {
            self.phase = Phase::Closing;
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Fails only if the other side did it first.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }
}
