//! A driver in plain memory: three rings whose descriptors it fills as Linux does, kicks included.

use std::collections::VecDeque;
use std::os::fd::AsRawFd;

use virtio_bindings::virtio_ring::{VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use virtio_queue::desc::split::Descriptor;
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::virtio::{DeviceError, Rings, VirtioDevice};
use crate::vsock::Vsock;
use crate::vsock::packet::{HEADER_LEN, Header};

/// Bytes of a receive buffer: what is left of 4 KiB in Linux.
pub(super) const RX_BUFFER: u32 = 3776;

const MEMORY: usize = 16 << 20;
const RING: u64 = 0x1_0000;
const BUFFERS: u64 = 0x10_0000;
const SCRATCH: u64 = 0x8_0000;
/// Room for the buffers of one queue.
const POOL: u64 = 0x40_0000;
/// Room for one transmit packet.
const TX_SLOT: u64 = 0x1_1000;

pub(super) struct Ring {
    base: u64,
    size: u16,
    avail: u16,
    used: u16,
    pub(super) queue: Queue,
}

impl Ring {
    fn new(index: u16, size: u16) -> Self {
        let base = RING * (u64::from(index) + 1);
        let mut queue = Queue::new(size).unwrap();
        queue.set_size(size);
        queue
            .try_set_desc_table_address(GuestAddress(base))
            .unwrap();
        queue
            .try_set_avail_ring_address(GuestAddress(base + 0x4000))
            .unwrap();
        queue
            .try_set_used_ring_address(GuestAddress(base + 0x8000))
            .unwrap();
        queue.set_event_idx(true);
        queue.set_ready(true);
        Self {
            base,
            size,
            avail: 0,
            used: 0,
            queue,
        }
    }

    pub(super) fn descriptor(&self, mem: &GuestMemoryMmap, index: u16, descriptor: Descriptor) {
        let at = GuestAddress(self.base + u64::from(index) * 16);
        mem.write_obj(descriptor, at).unwrap();
    }

    pub(super) fn make_available(&mut self, mem: &GuestMemoryMmap, head: u16) {
        let slot = u64::from(self.avail % self.size);
        mem.write_obj(head, GuestAddress(self.base + 0x4004 + slot * 2))
            .unwrap();
        self.avail = self.avail.wrapping_add(1);
        mem.write_obj(self.avail, GuestAddress(self.base + 0x4002))
            .unwrap();
    }

    /// How far the device is.
    pub(super) fn used_index(&self, mem: &GuestMemoryMmap) -> u16 {
        mem.read_obj(GuestAddress(self.base + 0x8002)).unwrap()
    }

    /// Whether the device wants a kick for what was made available since `before`
    /// (`vring_need_event` of virtio 1.2, 2.7.10).
    pub(super) fn wants_kick(&self, mem: &GuestMemoryMmap, before: u16) -> bool {
        let at = self.base + 0x8004 + u64::from(self.size) * 8;
        let event: u16 = mem.read_obj(GuestAddress(at)).unwrap();
        self.avail.wrapping_sub(event).wrapping_sub(1) < self.avail.wrapping_sub(before)
    }

    /// How many chains were made available.
    pub(super) fn available(&self) -> u16 {
        self.avail
    }

    /// The next used element: head and length.
    fn take_used(&mut self, mem: &GuestMemoryMmap) -> Option<(u32, u32)> {
        if self.used_index(mem) == self.used {
            return None;
        }
        let at = self.base + 0x8004 + u64::from(self.used % self.size) * 8;
        self.used = self.used.wrapping_add(1);
        // Interrupt at the next one.
        mem.write_obj(
            self.used,
            GuestAddress(self.base + 0x4004 + u64::from(self.size) * 2),
        )
        .unwrap();
        Some((
            mem.read_obj(GuestAddress(at)).unwrap(),
            mem.read_obj(GuestAddress(at + 4)).unwrap(),
        ))
    }
}

/// The guest: rings, memory, and the packets that came.
pub(super) struct Driver {
    pub(super) mem: GuestMemoryMmap,
    pub(super) rx: Ring,
    pub(super) tx: Ring,
    pub(super) event: Ring,
    free_tx: Vec<u16>,
    kept_rx: Vec<u16>,
    /// Packets that wait for a free transmit descriptor.
    backlog: VecDeque<(Header, Vec<u8>)>,
    pub(super) received: VecDeque<(Header, Vec<u8>)>,
    pub(super) interrupts: usize,
    /// Whether receive buffers are given back to the device.
    pub(super) refill: bool,
}

impl Driver {
    pub(super) fn new(device: &Vsock) -> Self {
        let sizes = device.queue_sizes();
        let mem = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), MEMORY)]).unwrap();
        let mut driver = Self {
            mem,
            rx: Ring::new(0, sizes[0]),
            tx: Ring::new(1, sizes[1]),
            event: Ring::new(2, sizes[2]),
            free_tx: (0..sizes[1] / 2).collect(),
            kept_rx: Vec::new(),
            backlog: VecDeque::new(),
            received: VecDeque::new(),
            interrupts: 0,
            refill: true,
        };
        for head in 0..sizes[0] {
            driver.offer_rx(head, RX_BUFFER);
        }
        for head in 0..sizes[2] {
            let at = BUFFERS + 2 * POOL + u64::from(head) * 16;
            let flags = u16::try_from(VRING_DESC_F_WRITE).unwrap();
            driver
                .event
                .descriptor(&driver.mem, head, Descriptor::new(at, 4, flags, 0));
            driver.event.make_available(&driver.mem, head);
        }
        driver
    }

    pub(super) fn offer_rx(&mut self, head: u16, len: u32) {
        let at = BUFFERS + u64::from(head) * 4096;
        let flags = u16::try_from(VRING_DESC_F_WRITE).unwrap();
        self.rx
            .descriptor(&self.mem, head, Descriptor::new(at, len, flags, 0));
        self.rx.make_available(&self.mem, head);
    }

    /// Makes the buffer of an offered descriptor smaller.
    pub(super) fn shrink_rx(&mut self, head: u16, len: u32) {
        let at = BUFFERS + u64::from(head) * 4096;
        let flags = u16::try_from(VRING_DESC_F_WRITE).unwrap();
        self.rx
            .descriptor(&self.mem, head, Descriptor::new(at, len, flags, 0));
    }

    /// Puts bytes where no buffer is; returns where.
    pub(super) fn scratch(&mut self, bytes: &[u8]) -> u64 {
        self.mem.write_slice(bytes, GuestAddress(SCRATCH)).unwrap();
        SCRATCH
    }

    /// Queues a packet; it goes out with [`Self::kick`].
    pub(super) fn send(&mut self, header: Header, payload: &[u8]) {
        self.backlog.push_back((header, payload.to_vec()));
    }

    /// Puts a packet into the ring whose payload has a descriptor for every `size` bytes, header apart. The
    /// ring has to be idle.
    pub(super) fn send_in_pieces(&mut self, header: &Header, payload: &[u8], size: usize) {
        let next = u16::try_from(VRING_DESC_F_NEXT).unwrap();
        let at = self.scratch(&[&header.encode()[..], payload].concat());
        let len = u32::try_from(HEADER_LEN).unwrap();
        self.tx
            .descriptor(&self.mem, 0, Descriptor::new(at, len, next, 1));
        let mut at = at + u64::from(len);
        let last = payload.chunks(size).count() - 1;
        for (index, piece) in payload.chunks(size).enumerate() {
            let len = u32::try_from(piece.len()).unwrap();
            let flags = if index == last { 0 } else { next };
            let index = u16::try_from(index).unwrap() + 1;
            self.tx
                .descriptor(&self.mem, index, Descriptor::new(at, len, flags, index + 1));
            at += u64::from(len);
        }
        self.tx.make_available(&self.mem, 0);
        // Comes back with the used ring; not to be had twice.
        self.free_tx.retain(|slot| *slot != 0);
    }

    fn put_packets(&mut self) {
        let next = u16::try_from(VRING_DESC_F_NEXT).unwrap();
        while !self.backlog.is_empty() {
            let Some(slot) = self.free_tx.pop() else {
                return;
            };
            let (header, payload) = self.backlog.pop_front().unwrap();
            let at = BUFFERS + POOL + u64::from(slot) * TX_SLOT;
            self.mem
                .write_slice(&header.encode(), GuestAddress(at))
                .unwrap();
            self.mem
                .write_slice(&payload, GuestAddress(at + 64))
                .unwrap();
            let head = slot * 2;
            let len = u32::try_from(HEADER_LEN).unwrap();
            let more = if payload.is_empty() { 0 } else { next };
            self.tx
                .descriptor(&self.mem, head, Descriptor::new(at, len, more, head + 1));
            let len = u32::try_from(payload.len()).unwrap();
            self.tx
                .descriptor(&self.mem, head + 1, Descriptor::new(at + 64, len, 0, 0));
            self.tx.make_available(&self.mem, head);
        }
    }

    fn call(
        &mut self,
        work: impl FnOnce(&mut Rings<'_>) -> Result<(), DeviceError>,
    ) -> (Result<(), DeviceError>, bool) {
        let mut interrupt = false;
        let mut queues = [
            std::mem::replace(&mut self.rx.queue, Queue::new(2).unwrap()),
            std::mem::replace(&mut self.tx.queue, Queue::new(2).unwrap()),
            std::mem::replace(&mut self.event.queue, Queue::new(2).unwrap()),
        ];
        let result = work(&mut Rings {
            mem: &self.mem,
            queues: &mut queues,
            features: 0,
            interrupt: &mut interrupt,
            again: &mut false,
        });
        [self.rx.queue, self.tx.queue, self.event.queue] = queues;
        (result, interrupt)
    }

    fn call_and_look(
        &mut self,
        work: impl FnOnce(&mut Rings<'_>) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let (result, interrupt) = self.call(work);
        if interrupt {
            self.interrupts += 1;
            self.on_interrupt();
        }
        result
    }

    /// What Linux does at an interrupt: both rings are looked at.
    pub(super) fn on_interrupt(&mut self) {
        while let Some((head, _)) = self.tx.take_used(&self.mem) {
            self.free_tx.push(u16::try_from(head).unwrap() / 2);
        }
        while let Some((head, len)) = self.rx.take_used(&self.mem) {
            let head = u16::try_from(head).unwrap();
            let at = BUFFERS + u64::from(head) * 4096;
            let mut bytes = vec![0; usize::try_from(len).unwrap()];
            self.mem.read_slice(&mut bytes, GuestAddress(at)).unwrap();
            if let Some((header, payload)) = bytes.split_first_chunk::<HEADER_LEN>() {
                let header = Header::parse(header);
                assert_eq!(usize::try_from(header.len).unwrap(), payload.len());
                self.received.push_back((header, payload.to_vec()));
            }
            if self.refill {
                self.offer_rx(head, RX_BUFFER);
            } else {
                self.kept_rx.push(head);
            }
        }
    }

    /// The used events: their ids.
    pub(super) fn take_events(&mut self) -> Vec<u32> {
        let mut ids = Vec::new();
        while let Some((head, len)) = self.event.take_used(&self.mem) {
            assert_eq!(len, 4);
            let at = BUFFERS + 2 * POOL + u64::from(head) * 16;
            ids.push(self.mem.read_obj(GuestAddress(at)).unwrap());
            self.event
                .make_available(&self.mem, u16::try_from(head).unwrap());
        }
        ids
    }

    /// Puts what waits into the transmit ring and kicks it.
    pub(super) fn kick(&mut self, device: &mut Vsock) -> Result<(), DeviceError> {
        self.put_packets();
        self.call_and_look(|rings| device.process_queue(rings, 1))
    }

    pub(super) fn kick_queue(&mut self, device: &mut Vsock, index: u16) -> Result<(), DeviceError> {
        self.call_and_look(|rings| device.process_queue(rings, index))
    }

    /// Waits until the host side has work, at most two minutes.
    pub(super) fn wait(&self, device: &Vsock) {
        assert!(poll(device, 120_000), "nothing happened for two minutes");
    }

    /// Calls the device for a queue without looking at what it did.
    pub(super) fn kick_raw(&mut self, device: &mut Vsock, index: u16) -> Result<(), DeviceError> {
        self.call(|rings| device.process_queue(rings, index)).0
    }

    /// Offers every receive buffer that the device does not have.
    pub(super) fn offer_all(&mut self) {
        self.on_interrupt();
        for head in std::mem::take(&mut self.kept_rx) {
            self.offer_rx(head, RX_BUFFER);
        }
    }

    /// Serves the host side and the transmit ring until neither has anything left.
    pub(super) fn run(&mut self, device: &mut Vsock) {
        loop {
            self.kick(device).unwrap();
            if !readable(device) && self.backlog.is_empty() {
                return;
            }
            self.call_and_look(|rings| device.process_host(Some(rings)))
                .unwrap();
        }
    }
}

/// Whether the device's descriptor says that the host side has work.
pub(super) fn readable(device: &Vsock) -> bool {
    poll(device, 0)
}

fn poll(device: &Vsock, milliseconds: i32) -> bool {
    let mut entry = libc::pollfd {
        fd: device.host_fd().unwrap().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, borrowed for the call.
    unsafe { libc::poll(&raw mut entry, 1, milliseconds) > 0 }
}
