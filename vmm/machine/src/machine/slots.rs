//! Which device is where: addresses and interrupts, a pure function of the configuration.

use crate::api::config::{BlockSlots, SlotClass};
use crate::arch::layout;

/// IO-APIC inputs that devices of their own line may have: 8 is the clock's, the rest below the first is the PC's.
const CLOCK_GSI: u32 = 8;

/// Lines that the read-only block slots share. A line of its own for each would not be there (24 inputs), and a slot on a
/// shared line costs less at boot.
const READ_ONLY_LINES: usize = 2;

/// A device of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// The pod's vsock.
    Vsock,
    /// Entropy.
    Rng,
    /// A block slot.
    Block(SlotClass, u8),
}

/// Where a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) device: Device,
    pub(super) base: u64,
    pub(super) gsi: u32,
}

/// The places of all devices, by address. The same configuration gives the same places for ever: saved guests know them.
pub(super) fn places(slots: BlockSlots, vsock: bool, rng: bool) -> Vec<Place> {
    let mut own = own_lines();
    // Never without: 18 lines, and what needs one of its own wraps around.
    let mut own_line = || own.next().unwrap_or(layout::FIRST_DEVICE_GSI);
    let shared: Vec<u32> = (0..READ_ONLY_LINES).map(|_| own_line()).collect();
    let mut lines = Vec::new();
    if vsock {
        lines.push((Device::Vsock, own_line()));
    }
    if rng {
        lines.push((Device::Rng, own_line()));
    }
    for slot in 0..slots.writable {
        lines.push((Device::Block(SlotClass::Writable, slot), own_line()));
    }
    for (slot, line) in (0..slots.read_only).zip(shared.iter().cycle()) {
        lines.push((Device::Block(SlotClass::ReadOnly, slot), *line));
    }
    let bases = (layout::MMIO_START..layout::MMIO_END).step_by(SLOT_STEP);
    let places = lines.into_iter().zip(bases);
    places
        .map(|((device, gsi), base)| Place { device, base, gsi })
        .collect()
}

/// [`layout::MMIO_SLOT_BYTES`] as an index step.
const SLOT_STEP: usize = 0x1000;

fn own_lines() -> impl Iterator<Item = u32> {
    let lines = (layout::FIRST_DEVICE_GSI..layout::GSI_COUNT).filter(|gsi| *gsi != CLOCK_GSI);
    lines.collect::<Vec<_>>().into_iter().cycle()
}

#[cfg(test)]
#[path = "tests/slots.rs"]
mod tests;
