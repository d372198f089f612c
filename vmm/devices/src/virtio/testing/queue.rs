//! The driver's half of one split virtqueue.

use std::sync::atomic::Ordering;

use virtio_bindings::virtio_ring::{VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

/// One buffer of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Guest address.
    pub addr: u64,
    /// Length in bytes.
    pub len: u32,
    /// The device may write it.
    pub writable: bool,
}

/// An entry of the used ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Head of the chain.
    pub head: u16,
    /// Bytes that the device says it wrote.
    pub len: u32,
}

/// A queue whose tables lie at fixed places; descriptors are given out in turn and never run out
/// as long as no more than `size` of them are in flight.
#[derive(Clone, Debug)]
pub struct FakeQueue {
    mem: GuestMemoryMmap,
    /// Number of descriptors.
    pub size: u16,
    /// Guest address of the descriptor table.
    pub desc: u64,
    /// Guest address of the available ring.
    pub avail: u64,
    /// Guest address of the used ring.
    pub used: u64,
    next_desc: u16,
    next_avail: u16,
    next_used: u16,
}

impl FakeQueue {
    /// Bytes that the tables of a queue take.
    pub fn footprint(size: u16) -> u64 {
        u64::from(size) * 16 + 0x1000 + u64::from(size) * 16
    }

    /// A queue of `size` descriptors whose tables begin at `base` (aligned to 4 KiB).
    pub fn new(mem: &GuestMemoryMmap, base: u64, size: u16) -> Self {
        let avail = base + u64::from(size) * 16;
        let used = (avail + 6 + u64::from(size) * 2 + 3) & !3;
        Self {
            mem: mem.clone(),
            size,
            desc: base,
            avail,
            used,
            next_desc: 0,
            next_avail: 0,
            next_used: 0,
        }
    }

    /// Write one descriptor into the table at `table`.
    pub fn write_descriptor(&self, table: u64, index: u16, buffer: Buffer, flags: u16, next: u16) {
        let at = GuestAddress(table + u64::from(index) * 16);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&buffer.addr.to_le_bytes());
        bytes[8..12].copy_from_slice(&buffer.len.to_le_bytes());
        bytes[12..14].copy_from_slice(&flags.to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        self.mem.write_slice(&bytes, at).unwrap();
    }

    /// Offer a chain of buffers; returns its head.
    pub fn push(&mut self, buffers: &[Buffer]) -> u16 {
        let head = self.next_desc % self.size;
        for (position, buffer) in buffers.iter().enumerate() {
            let index = self.next_desc % self.size;
            self.next_desc = self.next_desc.wrapping_add(1);
            let last = position + 1 == buffers.len();
            let flags = flags(buffer.writable, !last);
            self.write_descriptor(self.desc, index, *buffer, flags, self.next_desc % self.size);
        }
        self.offer(head);
        head
    }

    /// Offer a chain through an indirect table at `table`; returns its head.
    pub fn push_indirect(&mut self, table: u64, buffers: &[Buffer]) -> u16 {
        for (index, buffer) in (0..).zip(buffers) {
            let last = usize::from(index) + 1 == buffers.len();
            let flags = flags(buffer.writable, !last);
            self.write_descriptor(table, index, *buffer, flags, index + 1);
        }
        let head = self.next_desc % self.size;
        self.next_desc = self.next_desc.wrapping_add(1);
        let indirect = Buffer {
            addr: table,
            len: u32::try_from(buffers.len() * 16).unwrap(),
            writable: false,
        };
        let flag = u16::try_from(VRING_DESC_F_INDIRECT).unwrap();
        self.write_descriptor(self.desc, head, indirect, flag, 0);
        self.offer(head);
        head
    }

    /// Put `head`, whatever it is, into the available ring.
    pub fn offer(&mut self, head: u16) {
        let slot = self.avail + 4 + u64::from(self.next_avail % self.size) * 2;
        self.mem.write_obj(head, GuestAddress(slot)).unwrap();
        self.next_avail = self.next_avail.wrapping_add(1);
        self.set_avail_index(self.next_avail);
    }

    /// Write the available ring's index, whatever it is.
    pub fn set_avail_index(&self, index: u16) {
        let at = GuestAddress(self.avail + 2);
        self.mem.store(index.to_le(), at, Ordering::SeqCst).unwrap();
    }

    /// Ask for an interrupt when the used ring passes `index` (with `VIRTIO_RING_F_EVENT_IDX`).
    pub fn set_used_event(&self, index: u16) {
        let at = GuestAddress(self.avail + 4 + u64::from(self.size) * 2);
        self.mem.store(index.to_le(), at, Ordering::SeqCst).unwrap();
    }

    /// From which available index on the device wants a kick (with `VIRTIO_RING_F_EVENT_IDX`).
    pub fn avail_event(&self) -> u16 {
        let at = GuestAddress(self.used + 4 + u64::from(self.size) * 8);
        u16::from_le(self.mem.load(at, Ordering::SeqCst).unwrap())
    }

    /// The device's index of the used ring.
    pub fn used_index(&self) -> u16 {
        let at = GuestAddress(self.used + 2);
        u16::from_le(self.mem.load(at, Ordering::SeqCst).unwrap())
    }

    /// Take the next entry of the used ring.
    pub fn pop_used(&mut self) -> Option<Used> {
        if self.next_used == self.used_index() {
            return None;
        }
        let at = self.used + 4 + u64::from(self.next_used % self.size) * 8;
        self.next_used = self.next_used.wrapping_add(1);
        let head: u32 = self.mem.read_obj(GuestAddress(at)).unwrap();
        let len: u32 = self.mem.read_obj(GuestAddress(at + 4)).unwrap();
        Some(Used {
            head: u16::try_from(head).unwrap(),
            len,
        })
    }
}

fn flags(writable: bool, next: bool) -> u16 {
    let mut flags = 0;
    if writable {
        flags |= VRING_DESC_F_WRITE;
    }
    if next {
        flags |= VRING_DESC_F_NEXT;
    }
    u16::try_from(flags).unwrap()
}
