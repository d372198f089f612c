//! A guest's memory and page tables for the tests of this room.

use kvm_bindings::kvm_sregs;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

pub(crate) const PRESENT: u64 = 1;
pub(crate) const WRITABLE: u64 = 2;
pub(crate) const USER: u64 = 4;
pub(crate) const LARGE: u64 = 0x80;

const MEMORY_BYTES: usize = 8 << 20;
const TABLES: u64 = 0x1000;

/// Physical memory with a four-level table at 0x1000 whose lowest table is at [`Self::LOW`].
pub(crate) struct Guest {
    pub(crate) memory: GuestMemoryMmap,
    pub(crate) sregs: kvm_sregs,
}

impl Guest {
    /// The lowest table: its entry `n` maps linear page `n`.
    pub(crate) const LOW: u64 = TABLES + 0x3000;
    /// The table of 2 MiB entries.
    pub(crate) const MIDDLE: u64 = TABLES + 0x2000;

    pub(crate) fn new() -> Self {
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), MEMORY_BYTES)]).unwrap();
        for level in 0..3 {
            let table = TABLES + level * 0x1000;
            let next = (table + 0x1000) | PRESENT | WRITABLE | USER;
            memory.write_obj(next, GuestAddress(table)).unwrap();
        }
        let mut sregs = kvm_sregs {
            cr0: (1 << 31) | (1 << 16) | 1,
            cr3: TABLES,
            cr4: (1 << 5) | (1 << 18),
            efer: 0x500,
            ..Default::default()
        };
        sregs.cs.l = 1;
        Self { memory, sregs }
    }

    /// Map linear page `page` to physical page `frame`.
    pub(crate) fn map(&self, page: u64, frame: u64, flags: u64) {
        let entry = (frame << 12) | flags;
        self.set_entry(Self::LOW + page * 8, entry);
    }

    pub(crate) fn set_entry(&self, place: u64, entry: u64) {
        self.memory.write_obj(entry, GuestAddress(place)).unwrap();
    }

    pub(crate) fn entry(&self, place: u64) -> u64 {
        self.memory.read_obj(GuestAddress(place)).unwrap()
    }
}
