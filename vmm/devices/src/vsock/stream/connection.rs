//! The guest half of a stream: packets in, verdicts out; and what the stream owes the guest.
//! Pure: knows no socket and no ring, so every rule of it can be tested with headers alone.

use super::credit::{Inbound, Outbound};
use crate::vsock::packet::{HOST_CID, Header, SHUT_BOTH, SHUT_RECEIVE, SHUT_SEND, TYPE_STREAM, op};

/// Where the guest half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The request is still owed: the guest knows nothing.
    Unasked,
    /// The guest was asked.
    Asked,
    /// Both sides may send.
    Open,
    /// The guest was told that both directions are shut; its reset is awaited.
    Closing,
    /// A reset is owed.
    Resetting,
    /// Nothing more will be said.
    Over,
}

/// What the host half has to do about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Settled,
    /// The guest knows no such stream, or does not keep to it: answer with a reset.
    Unknown,
    /// The guest accepted: tell the client.
    Accepted,
    /// The guest refused: close the client.
    Refused,
    /// The payload is for the client.
    Deliver,
    /// The guest shut these directions (its own `SHUT_*` bits, all it has shut so far).
    Shut(u32),
    /// The guest is done with the stream: the client gets what is buffered, then the end.
    Finished,
    /// The guest broke the rules: close the client at once; a reset is owed.
    Broken,
}

/// What the stream has to say to the guest next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, unless something happens.
    Idle,
    /// This packet without payload.
    Control(Header),
    /// Payload of the client, up to this many bytes.
    Data(u32),
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Connection {
    guest_cid: u64,
    guest_port: u32,
    host_port: u32,
    phase: Phase,
    outbound: Outbound,
    inbound: Inbound,
    /// What the guest has shut.
    guest_shut: u32,
    /// What the host has shut, and how much of it the guest knows.
    host_shut: u32,
    told_shut: u32,
    update_owed: bool,
    /// The guest was asked for credit and has not said anything since.
    credit_asked: bool,
    /// The guest sends updates by itself, so asking it would only cost it an interrupt.
    volunteers: bool,
}

impl Connection {
    /// A stream that the host opens; `buffer` is what the guest is promised.
    pub(crate) fn new(guest_cid: u64, guest_port: u32, host_port: u32, buffer: u32) -> Self {
        Self {
            guest_cid,
            guest_port,
            host_port,
            phase: Phase::Unasked,
            outbound: Outbound::default(),
            inbound: Inbound::new(buffer),
            guest_shut: 0,
            host_shut: 0,
            told_shut: 0,
            update_owed: false,
            credit_asked: false,
            volunteers: false,
        }
    }

    pub(crate) fn guest_port(&self) -> u32 {
        self.guest_port
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Only the guest's reset is awaited; nothing is lost if it is not.
    pub(crate) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Whether what the client sends can still reach the guest.
    pub(crate) fn takes_data(&self) -> bool {
        self.phase == Phase::Open && self.guest_shut & SHUT_RECEIVE == 0
    }

    /// A packet whose ports, CIDs and type are this stream's.
    pub(crate) fn on_packet(&mut self, header: &Header) -> Verdict {
        match self.phase {
            Phase::Over | Phase::Unasked => return Verdict::Unknown,
            Phase::Asked | Phase::Open => {
                self.outbound.update(header.buf_alloc, header.fwd_cnt);
                self.credit_asked = false;
            }
            Phase::Closing | Phase::Resetting => {}
        }
        match (self.phase, header.op) {
            (Phase::Asked, op::RST) => self.over(Verdict::Refused),
            (_, op::RST) => self.over(Verdict::Finished),
            (Phase::Asked, op::RESPONSE) => {
                self.phase = Phase::Open;
                Verdict::Accepted
            }
            (Phase::Open, op::RW) => self.on_data(header.len),
            (Phase::Open, op::CREDIT_UPDATE) => {
                self.volunteers = true;
                Verdict::Settled
            }
            (Phase::Open, op::CREDIT_REQUEST) => {
                self.update_owed = true;
                Verdict::Settled
            }
            (Phase::Open | Phase::Closing, op::SHUTDOWN) => self.on_shutdown(header.flags),
            // What was on its way when the host shut both directions.
            (Phase::Closing, op::RW | op::CREDIT_UPDATE | op::CREDIT_REQUEST)
            | (Phase::Resetting, _) => Verdict::Settled,
            _ => self.break_off(),
        }
    }

    fn on_data(&mut self, len: u32) -> Verdict {
        if self.guest_shut & SHUT_SEND != 0 || !self.inbound.receive(len) {
            return self.break_off();
        }
        if len == 0 {
            Verdict::Settled
        } else {
            Verdict::Deliver
        }
    }

    fn on_shutdown(&mut self, flags: u32) -> Verdict {
        self.guest_shut |= flags & SHUT_BOTH;
        match self.guest_shut {
            SHUT_BOTH => {
                // The guest keeps its socket until it hears the reset, and we have all its bytes.
                self.phase = Phase::Resetting;
                Verdict::Finished
            }
            0 => Verdict::Settled,
            _ if self.phase == Phase::Closing => Verdict::Settled,
            shut => Verdict::Shut(shut),
        }
    }

    fn over(&mut self, verdict: Verdict) -> Verdict {
        self.phase = Phase::Over;
        verdict
    }

    /// The guest broke the rules, or lied about a length.
    pub(crate) fn break_off(&mut self) -> Verdict {
        self.abort();
        Verdict::Broken
    }

    /// The host half is gone without an orderly end.
    pub(crate) fn abort(&mut self) {
        self.phase = match self.phase {
            Phase::Unasked | Phase::Over => Phase::Over,
            _ => Phase::Resetting,
        };
    }

    /// The host half shuts these directions; with both, an unanswered request is taken back.
    pub(crate) fn shut(&mut self, directions: u32) {
        self.host_shut |= directions;
        if self.host_shut == SHUT_BOTH && matches!(self.phase, Phase::Unasked | Phase::Asked) {
            self.abort();
        }
    }

    /// `count` bytes of the guest left our memory.
    pub(crate) fn forwarded(&mut self, count: usize) {
        // Never above the promise, which is a u32.
        self.inbound
            .forward(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// What to say next; `has_data`: the client has something to read.
    pub(crate) fn next(&mut self, has_data: bool) -> Next {
        match self.phase {
            Phase::Unasked => {
                self.phase = Phase::Asked;
                Next::Control(self.header(op::REQUEST, 0))
            }
            Phase::Resetting => {
                self.phase = Phase::Over;
                Next::Control(self.header(op::RST, 0))
            }
            Phase::Open => self.next_open(has_data),
            Phase::Asked | Phase::Closing | Phase::Over => Next::Idle,
        }
    }

    fn next_open(&mut self, has_data: bool) -> Next {
        let free = self.outbound.free();
        if has_data && free > 0 && self.takes_data() {
            return Next::Data(free);
        }
        if self.host_shut != self.told_shut {
            self.told_shut = self.host_shut;
            if self.told_shut == SHUT_BOTH {
                self.phase = Phase::Closing;
            }
            return Next::Control(self.header(op::SHUTDOWN, self.told_shut));
        }
        if self.must_tell() {
            return Next::Control(self.header(op::CREDIT_UPDATE, 0));
        }
        if self.must_ask(has_data) {
            self.credit_asked = true;
            return Next::Control(self.header(op::CREDIT_REQUEST, 0));
        }
        Next::Idle
    }

    fn must_tell(&self) -> bool {
        self.update_owed || (self.guest_shut & SHUT_SEND == 0 && self.inbound.worth_telling())
    }

    fn must_ask(&self, has_data: bool) -> bool {
        has_data
            && self.takes_data()
            && self.outbound.free() == 0
            && !self.credit_asked
            && !self.volunteers
    }

    /// Whether [`Self::next`] would say something.
    pub(crate) fn has_next(&self, has_data: bool) -> bool {
        match self.phase {
            Phase::Unasked | Phase::Resetting => true,
            Phase::Open => {
                (has_data && self.outbound.free() > 0 && self.takes_data())
                    || self.host_shut != self.told_shut
                    || self.must_tell()
                    || self.must_ask(has_data)
            }
            Phase::Asked | Phase::Closing | Phase::Over => false,
        }
    }

    /// The header of `len` bytes of payload, at most what [`Next::Data`] allowed.
    pub(crate) fn data(&mut self, len: u32) -> Header {
        self.outbound.send(len);
        Header {
            len,
            ..self.header(op::RW, 0)
        }
    }

    fn header(&mut self, op: u16, flags: u32) -> Header {
        // Every packet carries the credit.
        self.update_owed = false;
        Header {
            src_cid: HOST_CID,
            dst_cid: self.guest_cid,
            src_port: self.host_port,
            dst_port: self.guest_port,
            len: 0,
            kind: TYPE_STREAM,
            op,
            flags,
            buf_alloc: self.inbound.size(),
            fwd_cnt: self.inbound.tell(),
        }
    }
}
