//! Guest memory: anonymous, private, not reserved; split around the hole below 4 GiB where devices live; given back where
//! the guest does not use it.

use std::io;

use husk_devices::balloon::ReturnPages;
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{GuestAddress, GuestMemoryMmap, GuestRegionMmap};

use super::error::VmError;
use crate::arch::layout;
use crate::sys;

/// The least memory that a guest kernel boots in, in MiB.
pub const MIN_MIB: u32 = 64;

/// The most memory of a machine, in MiB.
pub const MAX_MIB: u32 = layout::MAX_MEMORY_MIB;

/// Start and length of each piece of guest memory.
#[must_use]
pub fn ranges(memory_mib: u32) -> Vec<(u64, u64)> {
    let bytes = u64::from(memory_mib) << 20;
    if bytes <= layout::LOW_MEMORY_END {
        return vec![(0, bytes)];
    }
    vec![
        (0, layout::LOW_MEMORY_END),
        (layout::HIGH_MEMORY_START, bytes - layout::LOW_MEMORY_END),
    ]
}

/// Map the memory of a machine. Nothing of it is touched.
///
/// # Errors
/// A size out of range, or the host has no address space left.
pub fn map(memory_mib: u32) -> Result<GuestMemoryMmap, VmError> {
    if !(MIN_MIB..=MAX_MIB).contains(&memory_mib) {
        return Err(VmError::MemorySize(memory_mib));
    }
    let failed = |cause: String| VmError::MemoryMap {
        mib: memory_mib,
        cause,
    };
    let mut regions = Vec::new();
    for (start, length) in ranges(memory_mib) {
        let length = usize::try_from(length).map_err(|e| failed(e.to_string()))?;
        let mapping = MmapRegionBuilder::new(length)
            .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE)
            .with_mmap_flags(libc::MAP_ANONYMOUS | libc::MAP_PRIVATE | libc::MAP_NORESERVE)
            .build()
            .map_err(|e| failed(e.to_string()))?;
        let region = GuestRegionMmap::new(mapping, GuestAddress(start))
            .ok_or_else(|| failed(format!("region at {start:#x} wraps")))?;
        regions.push(region);
    }
    GuestMemoryMmap::from_regions(regions).map_err(|e| failed(e.to_string()))
}

/// Pages that the guest does not use, on their way back to the host.
#[derive(Debug)]
pub struct UnusedPages {
    memory: GuestMemoryMmap,
}

impl UnusedPages {
    /// Pages of this memory.
    #[must_use]
    pub fn new(memory: GuestMemoryMmap) -> Self {
        Self { memory }
    }
}

impl ReturnPages for UnusedPages {
    fn return_pages(&mut self, start: GuestAddress, bytes: u64) -> io::Result<()> {
        sys::forget(&self.memory, start, bytes)
    }
}

#[cfg(test)]
#[path = "tests/memory.rs"]
mod tests;
