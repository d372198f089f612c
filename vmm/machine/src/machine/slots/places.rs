//! Which device is where: addresses and interrupts, a pure function of the configuration.

use std::iter;

use crate::api::MachineConfig;
use crate::api::config::SlotClass;
use crate::arch::layout;

/// The input of the real-time clock; those below [`layout::FIRST_DEVICE_GSI`] are the PC's as well.
const CLOCK_GSI: u32 = 8;

/// A device of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::machine) enum Device {
    /// The pod's vsock.
    Vsock,
    /// Entropy.
    Rng,
    /// Unused memory.
    Balloon,
    /// A net slot.
    Net(u8),
    /// A block slot.
    Block(SlotClass, u8),
}

/// Where a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::machine) struct Place {
    pub(in crate::machine) device: Device,
    pub(in crate::machine) base: u64,
    pub(in crate::machine) gsi: u32,
}

/// The places of all devices, by address. The same configuration gives the same places for ever: saved guests know them.
///
/// There are 18 lines. The first 17 devices have one each, the others share the last: the handlers of all devices on a
/// line run at each of its interrupts, and read-only slots are filled from the first.
pub(in crate::machine) fn places(config: &MachineConfig) -> Vec<Place> {
    let block = |class, count| (0..count).map(move |slot| Device::Block(class, slot));
    let single = [
        config.vsock.is_some().then_some(Device::Vsock),
        config.rng.then_some(Device::Rng),
        config.balloon.then_some(Device::Balloon),
    ];
    let slots = config.slots;
    let devices = single
        .into_iter()
        .flatten()
        .chain((0..config.net_slots).map(Device::Net))
        .chain(block(SlotClass::Writable, slots.writable))
        .chain(block(SlotClass::ReadOnly, slots.read_only));
    let lines = (layout::FIRST_DEVICE_GSI..layout::GSI_COUNT).filter(|gsi| *gsi != CLOCK_GSI);
    let lines = lines.chain(iter::repeat(layout::GSI_COUNT - 1));
    let bases = (0..).map(|index| layout::MMIO_START + index * layout::MMIO_SLOT_BYTES);
    let places = devices.zip(lines).zip(bases);
    places
        .map(|((device, gsi), base)| Place { device, base, gsi })
        .collect()
}

#[cfg(test)]
#[path = "tests/places.rs"]
mod tests;
