//! The driver: probes a slot through its registers and moves requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::queue::{Buffer, FakeQueue, Used};
use crate::virtio::{InterruptLine, MmioHandler, MmioSlot, Progress, VirtioDevice};

/// Where the first queue's tables lie.
const QUEUES_BASE: u64 = 0x1000;
/// Distance between the tables of two queues.
const QUEUE_STRIDE: u64 = 0x10000;

/// An interrupt line that counts.
#[derive(Debug, Default)]
pub struct CountingLine(AtomicUsize);

impl CountingLine {
    /// Pulses so far.
    pub fn pulses(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl InterruptLine for CountingLine {
    fn pulse(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A slot with its driver.
#[derive(Debug)]
pub struct FakeDriver<D: VirtioDevice> {
    /// The slot under test.
    pub slot: Arc<MmioSlot<D>>,
    /// Guest memory.
    pub mem: GuestMemoryMmap,
    /// The slot's interrupt line.
    pub line: Arc<CountingLine>,
    /// The driver's half of each queue.
    pub queues: Vec<FakeQueue>,
    arena: u64,
    arena_start: u64,
}

impl<D: VirtioDevice> FakeDriver<D> {
    /// A slot after power-on in a guest of `mem_size` bytes; the driver has done nothing yet.
    pub fn new(device: D, mem_size: usize) -> Self {
        let mem = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), mem_size)]).unwrap();
        Self::in_memory(device, mem)
    }

    /// As [`Self::new`], in memory that exists.
    pub fn in_memory(device: D, mem: GuestMemoryMmap) -> Self {
        let line = Arc::new(CountingLine::default());
        let slot = Arc::new(MmioSlot::new(device, mem.clone(), line.clone()).unwrap());
        let arena = QUEUES_BASE + u64::from(slot.queue_count()) * QUEUE_STRIDE;
        Self {
            slot,
            mem,
            line,
            queues: Vec::new(),
            arena,
            arena_start: arena,
        }
    }

    /// [`Self::new`], then a whole probe that accepts `wanted` of the offered features.
    pub fn started(device: D, mem_size: usize, wanted: u64) -> Self {
        let mut driver = Self::new(device, mem_size);
        driver.start(wanted);
        driver
    }

    /// Read a register.
    pub fn read(&self, offset: u64) -> u32 {
        let mut data = [0; 4];
        self.slot.read(offset, &mut data);
        u32::from_le_bytes(data)
    }

    /// Write a register.
    pub fn write(&self, offset: u64, value: u32) {
        self.slot.write(offset, &value.to_le_bytes());
    }

    /// The features offered, as a driver reads them.
    pub fn offered(&self) -> u64 {
        self.write(0x14, 1);
        let high = u64::from(self.read(0x10));
        self.write(0x14, 0);
        high << 32 | u64::from(self.read(0x10))
    }

    /// Probe as Linux does: reset, features, queues, `DRIVER_OK`.
    pub fn start(&mut self, wanted: u64) {
        self.negotiate(wanted);
        self.set_up_queues(u16::MAX);
        self.write(0x70, 15);
        assert_eq!(self.read(0x70), 15, "device did not start");
    }

    /// Reset and negotiate up to `FEATURES_OK`.
    pub fn negotiate(&self, wanted: u64) {
        self.write(0x70, 0);
        self.write(0x70, 1);
        self.write(0x70, 3);
        let accepted = self.offered() & wanted;
        self.write(0x24, 1);
        self.write(0x20, u32::try_from(accepted >> 32).unwrap());
        self.write(0x24, 0);
        self.write(0x20, u32::try_from(accepted & 0xffff_ffff).unwrap());
        self.write(0x70, 11);
        assert_eq!(self.read(0x70), 11, "features were refused");
    }

    /// Set up every queue with its largest size, but no more than `limit`.
    pub fn set_up_queues(&mut self, limit: u16) {
        self.queues.clear();
        for index in 0..self.slot.queue_count() {
            self.write(0x30, index.into());
            assert_eq!(self.read(0x44), 0, "queue is ready before its setup");
            let size = u16::try_from(self.read(0x34)).unwrap().min(limit);
            let base = QUEUES_BASE + u64::from(index) * QUEUE_STRIDE;
            let zeroes = vec![0; usize::try_from(FakeQueue::footprint(size)).unwrap()];
            self.mem.write_slice(&zeroes, GuestAddress(base)).unwrap();
            let queue = FakeQueue::new(&self.mem, base, size);
            self.write(0x38, size.into());
            for (register, address) in [(0x80, queue.desc), (0x90, queue.avail), (0xa0, queue.used)]
            {
                self.write(register, u32::try_from(address).unwrap());
                self.write(register + 4, 0);
            }
            self.write(0x44, 1);
            assert_eq!(self.read(0x44), 1, "queue was refused");
            self.queues.push(queue);
        }
    }

    /// Memory for a buffer that is not used by anything else (until [`Self::recycle`]).
    pub fn alloc(&mut self, len: usize) -> u64 {
        let addr = self.arena;
        self.arena += u64::try_from(len.next_multiple_of(16)).unwrap();
        addr
    }

    /// Forget all buffers.
    pub fn recycle(&mut self) {
        self.arena = self.arena_start;
    }

    /// A buffer that holds `bytes` for the device to read.
    pub fn readable(&mut self, bytes: &[u8]) -> Buffer {
        let addr = self.alloc(bytes.len());
        self.mem.write_slice(bytes, GuestAddress(addr)).unwrap();
        Buffer {
            addr,
            len: u32::try_from(bytes.len()).unwrap(),
            writable: false,
        }
    }

    /// A buffer of zeroes that the device may fill.
    pub fn writable(&mut self, len: usize) -> Buffer {
        let addr = self.alloc(len);
        let zeroes = vec![0; len];
        self.mem.write_slice(&zeroes, GuestAddress(addr)).unwrap();
        Buffer {
            addr,
            len: u32::try_from(len).unwrap(),
            writable: true,
        }
    }

    /// What a buffer holds now.
    pub fn bytes(&self, buffer: Buffer) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(buffer.len).unwrap()];
        self.mem
            .read_slice(&mut bytes, GuestAddress(buffer.addr))
            .unwrap();
        bytes
    }

    /// Kick a queue through its register.
    pub fn kick(&self, queue: u16) {
        self.write(0x50, queue.into());
    }

    /// The host side is ready: let the device work until nothing is left, as a worker does.
    pub fn host(&self) {
        while self.slot.process_host() == Progress::More {}
    }

    /// Offer one chain, kick, and take what the device gave back, if it did.
    pub fn transfer(&mut self, queue: u16, buffers: &[Buffer]) -> Option<Used> {
        let index = usize::from(queue);
        self.queues[index].push(buffers);
        self.kick(queue);
        self.queues[index].pop_used()
    }

    /// The interrupt handler: read the status, acknowledge it, return it.
    pub fn acknowledge(&self) -> u32 {
        let status = self.read(0x60);
        self.write(0x64, status);
        status
    }

    /// The device wants a reset.
    pub fn needs_reset(&self) -> bool {
        self.read(0x70) & 64 != 0
    }
}
