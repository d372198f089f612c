//! Packets to the guest: resets first, then one packet of each stream that has one, in turns.

use super::table::{Muxer, Stage, Stream};
use crate::vsock::chain::RxBuffer;
use crate::vsock::packet::{SHUT_BOTH, SHUT_SEND};
use crate::vsock::stream::{Client, Next, Received};

impl Muxer {
    /// Whether [`Self::fill`] may have something.
    pub(crate) fn has_packets(&self) -> bool {
        !self.replies.is_empty() || !self.ready.is_empty()
    }

    /// Puts the next packet into `buffer`; returns its bytes, or `None` when nobody has anything to say.
    pub(crate) fn fill(&mut self, buffer: &RxBuffer<'_>) -> Option<u32> {
        if let Some(reply) = self.replies.pop_front() {
            return Some(buffer.finish(&reply));
        }
        while let Some(port) = self.ready.pop_front() {
            let Some(stream) = self.streams.get_mut(&port) else {
                continue;
            };
            stream.queued = false;
            let written = stream.turn(buffer);
            self.settle(port);
            if written.is_some() {
                return written;
            }
        }
        None
    }
}

impl Stream {
    /// One packet, if there is one. What a client turns out not to have changes what is said next.
    fn turn(&mut self, buffer: &RxBuffer<'_>) -> Option<u32> {
        let Stage::Guest(connection) = &mut self.stage else {
            return None;
        };
        loop {
            let has_data = self.client.as_ref().is_some_and(Client::has_data);
            let limit = match connection.next(has_data) {
                Next::Idle => return None,
                Next::Control(header) => return Some(buffer.finish(&header)),
                Next::Data(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
            };
            let client = self.client.as_mut()?;
            match client.receive(&buffer.body.split(limit).0) {
                Received::Bytes(len) => return Some(buffer.finish(&connection.data(len))),
                Received::Nothing => {}
                Received::HalfClosed => connection.shut(SHUT_SEND),
                Received::Closed => {
                    connection.shut(SHUT_BOTH);
                    self.client = None;
                }
                Received::Failed => {
                    connection.abort();
                    self.client = None;
                }
            }
        }
    }
}
