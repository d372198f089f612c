//! Credit (virtio 1.2, 5.10.6.3): how much may be on its way, in each direction. Counters wrap by design.

use std::num::Wrapping;

/// What the guest promised to take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outbound {
    sent: Wrapping<u32>,
    consumed: Wrapping<u32>,
    window: u32,
}

impl Outbound {
    /// Bytes that may be sent now.
    pub(crate) fn free(&self) -> u32 {
        self.window.saturating_sub((self.sent - self.consumed).0)
    }

    /// `count` bytes, at most [`Self::free`], were sent.
    pub(crate) fn send(&mut self, count: u32) {
        self.sent += count;
    }

    /// The fields of any packet of the guest. A counter that runs backwards, or ahead of what was sent,
    /// is not believed.
    pub(crate) fn update(&mut self, buf_alloc: u32, fwd_cnt: u32) {
        self.window = buf_alloc;
        let in_flight = self.sent - Wrapping(fwd_cnt);
        if in_flight <= self.sent - self.consumed {
            self.consumed = Wrapping(fwd_cnt);
        }
    }
}

/// What we promised to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inbound {
    size: u32,
    received: Wrapping<u32>,
    forwarded: Wrapping<u32>,
    told: Wrapping<u32>,
}

impl Inbound {
    /// A promise of `size` bytes.
    pub(crate) fn new(size: u32) -> Self {
        Self {
            size,
            received: Wrapping(0),
            forwarded: Wrapping(0),
            told: Wrapping(0),
        }
    }

    /// `buf_alloc` of our packets.
    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Takes `len` bytes in, or refuses them because they break the promise that the guest knows of.
    pub(crate) fn receive(&mut self, len: u32) -> bool {
        let within = len <= self.left();
        if within {
            self.received += len;
        }
        within
    }

    /// `count` received bytes need no room of ours any more.
    pub(crate) fn forward(&mut self, count: u32) {
        self.forwarded += count;
    }

    /// `fwd_cnt` for a packet that goes out now.
    pub(crate) fn tell(&mut self) -> u32 {
        self.told = self.forwarded;
        self.told.0
    }

    /// Whether the guest should hear of its credit in a packet of its own: it has little left and would get
    /// much. Each such packet costs the guest an interrupt, so they are few; a guest that has little left
    /// always gets one, because then most of the buffer is either given back or will be.
    pub(crate) fn worth_telling(&self) -> bool {
        self.left() <= self.size / 4 && (self.forwarded - self.told).0 >= self.size / 2
    }

    /// What the guest believes that it may send.
    fn left(&self) -> u32 {
        self.size.saturating_sub((self.received - self.told).0)
    }
}
