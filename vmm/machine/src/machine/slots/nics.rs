//! The net slots of a machine: networks come and go, slots stay.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use husk_devices::net::{MacAddress, NetDevice, Nic, Tap};
use husk_devices::virtio::MmioSlot;

use crate::api::control::NicFigures;
use crate::machine::error::NicError;

/// A slot that holds a net device.
type NicSlot = Arc<MmioSlot<NetDevice>>;

/// All net slots, by index.
#[derive(Debug, Default)]
pub(in crate::machine) struct Nics {
    slots: Vec<NicSlot>,
    /// What each slot that is not empty holds. Asking a slot itself could take as long as its turn.
    macs: BTreeMap<u8, MacAddress>,
}

/// A network as asked for.
#[derive(Debug)]
pub(in crate::machine) struct NewNic<'a> {
    pub(in crate::machine) tap: OwnedFd,
    pub(in crate::machine) mac: &'a str,
    pub(in crate::machine) mtu: u16,
}

impl Nics {
    /// The next slot.
    pub(in crate::machine) fn push(&mut self, slot: NicSlot) {
        self.slots.push(slot);
    }

    /// Plug a tap into an empty slot and tell the driver.
    pub(in crate::machine) fn attach(&mut self, slot: u8, nic: NewNic<'_>) -> Result<(), NicError> {
        let place = self.find(slot)?;
        let mac: MacAddress = nic.mac.parse()?;
        // The guest finds an interface by its address: two of a name would be one too many.
        if self.macs.values().any(|held| *held == mac) {
            return Err(NicError::MacTaken(mac));
        }
        let (tap, mtu) = (Tap::new(nic.tap)?, nic.mtu);
        place.with_device(|device| device.plug(Box::new(tap), Nic { mac, mtu }))?;
        place.notify_config_change();
        self.macs.insert(slot, mac);
        Ok(())
    }

    /// Unplug a slot's tap, close it and tell the driver.
    pub(in crate::machine) fn detach(&mut self, slot: u8) -> Result<(), NicError> {
        let place = self.find(slot)?;
        let unplugged = place.with_device(NetDevice::unplug);
        unplugged.map_err(|source| NicError::Empty { slot, source })?;
        place.notify_config_change();
        self.macs.remove(&slot);
        Ok(())
    }

    /// Counters of the slots that have a network.
    pub(in crate::machine) fn figures(&self) -> Vec<NicFigures> {
        let figures = |(&slot, mac): (&u8, &MacAddress)| {
            let place = self.slots.get(usize::from(slot))?;
            Some(NicFigures {
                slot,
                mac: mac.to_string(),
                counters: place.with_device(|device| device.metrics()),
            })
        };
        self.macs.iter().filter_map(figures).collect()
    }

    fn find(&self, slot: u8) -> Result<&NicSlot, NicError> {
        self.slots.get(usize::from(slot)).ok_or(NicError::NoSlot {
            slot,
            count: self.slots.len(),
        })
    }
}

#[cfg(test)]
#[path = "tests/nics.rs"]
mod tests;
