//! Packets of the guest.

use super::table::{Muxer, Stage, Stream};
use crate::vsock::chain::TxPacket;
use crate::vsock::config::Doorbell;
use crate::vsock::packet::{HOST_CID, Header, SHUT_RECEIVE, SHUT_SEND, TYPE_STREAM, op};
use crate::vsock::stream::{Afterwards, Client, Verdict};

/// Resets that may wait for room in the guest's ring. Above it the guest gets none: to wait for room here
/// while the guest waits for us to take its packets would be the end of both.
const MAX_REPLIES: usize = 1024;

impl Muxer {
    /// Takes a packet that the driver sent.
    pub(crate) fn on_packet(&mut self, packet: &TxPacket<'_>) {
        let header = &packet.header;
        if header.src_cid != self.guest_cid {
            return;
        }
        if header.dst_cid != HOST_CID || header.kind != TYPE_STREAM {
            return self.refuse(header);
        }
        if header.op == op::REQUEST {
            self.on_request(header.dst_port);
        }
        let port = header.dst_port;
        match self.streams.get_mut(&port).map(|stream| &mut stream.stage) {
            Some(Stage::Guest(connection)) if connection.guest_port() == header.src_port => {
                let verdict = if packet.payload.is_some() {
                    connection.on_packet(header)
                } else {
                    connection.break_off()
                };
                self.on_verdict(port, verdict, packet);
                self.settle(port);
            }
            _ => self.refuse(header),
        }
    }

    fn refuse(&mut self, header: &Header) {
        if let Some(reply) = header.reset_reply()
            && self.replies.len() < MAX_REPLIES
        {
            self.replies.push_back(reply);
        }
    }

    /// A guest's request is always refused; some are news.
    fn on_request(&mut self, port: u32) {
        if self.open {
            return;
        }
        let doorbells = self.config.doorbells;
        if port == doorbells.started && !self.started {
            self.started = true;
            (self.report)(Doorbell::Started);
        } else if port == doorbells.ready {
            self.open = true;
            (self.report)(Doorbell::Ready);
            self.offer_held();
        }
    }

    fn on_verdict(&mut self, port: u32, verdict: Verdict, packet: &TxPacket<'_>) {
        let Some(stream) = self.streams.get_mut(&port) else {
            return;
        };
        match verdict {
            Verdict::Settled => {}
            Verdict::Unknown => self.refuse(&packet.header),
            Verdict::Refused | Verdict::Broken => stream.client = None,
            Verdict::Accepted => {
                let line = format!("OK {port}\n");
                if !stream
                    .client
                    .as_mut()
                    .is_some_and(|client| client.greet(line.as_bytes()))
                {
                    stream.abort();
                }
            }
            Verdict::Deliver => self.deliver(port, packet),
            Verdict::Shut(directions) => {
                if let Some(client) = &mut stream.client {
                    if directions & SHUT_RECEIVE != 0 {
                        client.shut_read();
                    }
                    if directions & SHUT_SEND != 0 {
                        client.finish(Afterwards::ShutWrite);
                    }
                }
                self.flush(port);
            }
            Verdict::Finished => {
                if let Some(client) = &mut stream.client {
                    client.finish(Afterwards::Close);
                }
                self.flush(port);
            }
        }
    }

    fn deliver(&mut self, port: u32, packet: &TxPacket<'_>) {
        let (Some(stream), Some(payload)) = (self.streams.get_mut(&port), &packet.payload) else {
            return;
        };
        let gone = match &mut stream.client {
            Some(client) => client.deliver(payload, &self.poller),
            None => payload.len(),
        };
        stream.forwarded(gone);
    }

    fn flush(&mut self, port: u32) {
        if let Some(stream) = self.streams.get_mut(&port)
            && let Some(client) = &mut stream.client
        {
            let gone = client.flush(&self.poller);
            stream.forwarded(gone);
        }
    }
}

impl Stream {
    /// `count` bytes left our hands; a client that receives no more is the guest's to know.
    fn forwarded(&mut self, count: usize) {
        let deaf = self.client.as_ref().is_some_and(Client::is_deaf);
        if let Stage::Guest(connection) = &mut self.stage {
            connection.forwarded(count);
            if deaf {
                connection.shut(SHUT_RECEIVE);
            }
        }
    }

    /// The client cannot be served.
    fn abort(&mut self) {
        self.client = None;
        if let Stage::Guest(connection) = &mut self.stage {
            connection.abort();
        }
    }
}
