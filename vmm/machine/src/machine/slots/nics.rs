//! The net slots of a machine: networks come and go, slots stay.

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
    pub(in crate::machine) fn attach(&self, slot: u8, nic: NewNic<'_>) -> Result<(), NicError> {
        let place = self.find(slot)?;
        let mac: MacAddress = nic.mac.parse()?;
        let holds = |other: &NicSlot| {
            other.with_device(|device| device.nic().is_some_and(|held| held.mac == mac))
        };
        // The guest finds an interface by its address: two of a name would be one too many.
        if self.slots.iter().any(holds) {
            return Err(NicError::MacTaken(mac));
        }
        let (tap, mtu) = (Tap::new(nic.tap)?, nic.mtu);
        place.with_device(|device| device.plug(Box::new(tap), Nic { mac, mtu }))?;
        place.notify_config_change();
        Ok(())
    }

    /// Unplug a slot's tap, close it and tell the driver.
    pub(in crate::machine) fn detach(&self, slot: u8) -> Result<(), NicError> {
        let place = self.find(slot)?;
        let unplugged = place.with_device(NetDevice::unplug);
        unplugged.map_err(|source| NicError::Empty { slot, source })?;
        place.notify_config_change();
        Ok(())
    }

    /// Counters of the slots that have a network.
    pub(in crate::machine) fn figures(&self) -> Vec<NicFigures> {
        let figures = |(slot, place): (u8, &NicSlot)| {
            let (nic, metrics) = place.with_device(|device| (device.nic(), device.metrics()));
            nic.map(|nic| NicFigures {
                slot,
                mac: nic.mac.to_string(),
                rx_frames: metrics.rx_frames,
                rx_bytes: metrics.rx_bytes,
                tx_frames: metrics.tx_frames,
                tx_bytes: metrics.tx_bytes,
                dropped: metrics.dropped,
                refused: metrics.refused,
            })
        };
        (0..).zip(&self.slots).filter_map(figures).collect()
    }

    fn find(&self, slot: u8) -> Result<&NicSlot, NicError> {
        self.slots.get(usize::from(slot)).ok_or(NicError::NoSlot {
            slot,
            count: self.slots.len(),
        })
    }
}
