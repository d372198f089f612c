//! Messages off a UNIX stream socket, each with the descriptors that came with its first byte.
//!
//! Reads never go past the end of a message: the kernel hands out descriptors with the bytes that they were sent with,
//! so a longer read could give one message's descriptors to another.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use thiserror::Error;

use crate::api::wire::MAX_MESSAGE_FDS;

const LENGTH_BYTES: usize = 4;

/// A message that cannot be taken; the stream is of no use any more.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    /// The other side promises more than is taken.
    #[error("message of {length} bytes is longer than {limit}")]
    TooLong {
        /// Promised.
        length: usize,
        /// Taken.
        limit: usize,
    },
    /// The other side closed inside of a message.
    #[error("connection closed after {received} of {length} bytes of a message")]
    Incomplete {
        /// Bytes that came.
        received: usize,
        /// Bytes that were promised.
        length: usize,
    },
    /// More descriptors than fit, or this process may not have more.
    #[error("more than {MAX_MESSAGE_FDS} descriptors in one message, or none left in this process")]
    TooManyDescriptors,
    /// Descriptors after the first byte of a message.
    #[error("descriptors came in the middle of a message")]
    StrayDescriptors,
}

/// One message.
#[derive(Debug)]
pub(super) struct Frame {
    /// JSON, not looked at.
    pub(super) body: Vec<u8>,
    /// In the order in which they were sent.
    pub(super) fds: Vec<OwnedFd>,
}

/// What one attempt to read gave.
#[derive(Debug)]
pub(super) enum Received {
    /// A whole message.
    Frame(Frame),
    /// The socket has no more for now.
    Pending,
    /// The other side closed between two messages.
    Closed,
}

/// Collects one message at a time.
#[derive(Debug)]
pub(super) struct FrameReader {
    limit: usize,
    header: [u8; LENGTH_BYTES],
    /// Bytes of header and body that are there.
    have: usize,
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl FrameReader {
    /// A reader that takes messages of up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            header: [0; LENGTH_BYTES],
            have: 0,
            body: Vec::new(),
            fds: Vec::new(),
        }
    }

    /// Read until a message is whole or the socket would block.
    ///
    /// # Errors
    /// The other side breaks the framing, or the socket fails.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> Result<Received, FrameError> {
        loop {
            let count = match self.read(socket) {
                Ok(count) => count,
                Err(FrameError::Socket(e)) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Received::Pending);
                }
                Err(FrameError::Socket(e)) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(FrameError::Socket(e)) if e.kind() == io::ErrorKind::ConnectionReset => 0,
                Err(other) => return Err(other),
            };
            if count == 0 {
                return self.closed();
            }
            self.have += count;
            if self.have == LENGTH_BYTES {
                self.begin_body()?;
            }
            if self.have >= LENGTH_BYTES && self.have - LENGTH_BYTES == self.body.len() {
                self.have = 0;
                return Ok(Received::Frame(Frame {
                    body: std::mem::take(&mut self.body),
                    fds: std::mem::take(&mut self.fds),
                }));
            }
        }
    }

    fn begin_body(&mut self) -> Result<(), FrameError> {
        let length = usize::try_from(u32::from_le_bytes(self.header)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(FrameError::TooLong {
                length,
                limit: self.limit,
            });
        }
        self.body = vec![0; length];
        Ok(())
    }

    fn closed(&self) -> Result<Received, FrameError> {
        match self.have {
            0 => Ok(Received::Closed),
            received => Err(FrameError::Incomplete {
                received,
                length: LENGTH_BYTES + self.body.len(),
            }),
        }
    }

    fn read(&mut self, socket: BorrowedFd<'_>) -> Result<usize, FrameError> {
        let first = self.have == 0;
        let buffer = match self.have.checked_sub(LENGTH_BYTES) {
            Some(start) => &mut self.body[start..],
            None => &mut self.header[self.have..],
        };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_MESSAGE_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
        .map_err(|e: Errno| io::Error::from(e))?;
        let mut fds = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) || fds.len() > MAX_MESSAGE_FDS {
            return Err(FrameError::TooManyDescriptors);
        }
        if !fds.is_empty() {
            if !first {
                return Err(FrameError::StrayDescriptors);
            }
            self.fds = fds;
        }
        Ok(received.bytes)
    }
}

#[cfg(test)]
#[path = "tests/frames.rs"]
mod tests;
