//! A guest's socket that keeps to its credit and checks that the device keeps to its own.

use super::driver::Driver;
use super::guest::GuestStream;
use crate::vsock::packet::{Header, op};

/// Bytes that any place of any stream has: a block without short periods, read from a place of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pattern(usize);

/// A prime, so that no power of two is a period.
const BLOCK: usize = 65521;

impl Pattern {
    pub(super) fn new(stream: usize) -> Self {
        Self(stream * 7919)
    }

    /// The block, once for the test.
    pub(super) fn block() -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        std::iter::repeat_with(next).take(BLOCK).collect()
    }

    /// The longest piece at `offset`, up to `len` bytes.
    pub(super) fn piece(self, block: &[u8], offset: usize, len: usize) -> &[u8] {
        let start = (self.0 + offset) % BLOCK;
        &block[start..(start + len).min(BLOCK)]
    }

    /// Whether `bytes` are those at `offset`.
    pub(super) fn matches(self, block: &[u8], offset: usize, bytes: &[u8]) -> bool {
        let mut done = 0;
        while done < bytes.len() {
            let piece = self.piece(block, offset + done, bytes.len() - done);
            if &bytes[done..done + piece.len()] != piece {
                return false;
            }
            done += piece.len();
        }
        true
    }
}

/// One socket of the guest.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) stream: GuestStream,
    pub(super) pattern: Pattern,
    pub(super) sent: u32,
    pub(super) got: u32,
    told: u32,
    window: u32,
    consumed: u32,
    /// Packets of credit alone.
    pub(super) updates: usize,
    /// `SHUTDOWN` flags of the device so far.
    pub(super) shut: u32,
    pub(super) reset: bool,
}

impl Peer {
    pub(super) fn new(stream: GuestStream, request: &Header, pattern: Pattern) -> Self {
        Self {
            stream,
            pattern,
            sent: 0,
            got: 0,
            told: 0,
            window: request.buf_alloc,
            consumed: request.fwd_cnt,
            updates: 0,
            shut: 0,
            reset: false,
        }
    }

    /// Bytes that may be sent now.
    pub(super) fn free(&self) -> u32 {
        self.window - (self.sent - self.consumed)
    }

    /// Takes a packet of the device.
    pub(super) fn take(&mut self, block: &[u8], header: &Header, payload: &[u8]) {
        assert!(header.fwd_cnt >= self.consumed && header.fwd_cnt <= self.sent);
        self.window = header.buf_alloc;
        self.consumed = header.fwd_cnt;
        match header.op {
            op::RW => {
                assert!(!payload.is_empty());
                let offset = usize::try_from(self.got).unwrap();
                assert!(
                    self.pattern.matches(block, offset, payload),
                    "bytes at {offset}"
                );
                self.got += header.len;
                assert!(
                    self.got - self.told <= self.stream.buf_alloc,
                    "the device overran our credit"
                );
            }
            op::CREDIT_UPDATE => self.updates += 1,
            op::CREDIT_REQUEST => {}
            op::SHUTDOWN => self.shut |= header.flags,
            op::RST => self.reset = true,
            other => panic!("op {other}"),
        }
    }

    /// Sends up to `len` bytes within the credit; returns how many.
    pub(super) fn send(&mut self, driver: &mut Driver, block: &[u8], len: u32) -> u32 {
        let len = usize::try_from(len.min(self.free())).unwrap();
        let offset = usize::try_from(self.sent).unwrap();
        let piece = self.pattern.piece(block, offset, len);
        if piece.is_empty() {
            return 0;
        }
        let header = self.header(op::RW, piece.len(), 0);
        driver.send(header, piece);
        self.sent += header.len;
        header.len
    }

    /// The application has read everything: tells the device when that is worth it.
    pub(super) fn give_credit(&mut self, driver: &mut Driver) {
        if self.got - self.told >= self.stream.buf_alloc / 2 {
            let header = self.header(op::CREDIT_UPDATE, 0, 0);
            driver.send(header, &[]);
        }
    }

    /// A header with the credit of now.
    pub(super) fn header(&mut self, op: u16, len: usize, flags: u32) -> Header {
        self.told = self.got;
        self.stream.fwd_cnt = self.got;
        self.stream.header(op, len, flags)
    }
}
