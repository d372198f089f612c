//! The block slots of a machine: drives come and go, slots stay.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use husk_devices::block::{BlockClass, BlockDevice, Serial};
use husk_devices::virtio::MmioSlot;

use crate::api::config::SlotClass;
use crate::machine::error::DriveError;

/// A slot that holds a block device.
pub(in crate::machine) type BlockSlot = Arc<MmioSlot<BlockDevice>>;

/// All block slots, by class and index.
#[derive(Debug, Default)]
pub(in crate::machine) struct Blocks {
    writable: Vec<BlockSlot>,
    read_only: Vec<BlockSlot>,
    /// What each slot that is not empty holds. Asking a slot itself could take as long as its slowest request.
    serials: HashMap<(SlotClass, u8), Serial>,
}

impl Blocks {
    /// The next slot of its class.
    pub(in crate::machine) fn push(&mut self, class: SlotClass, slot: BlockSlot) {
        match class {
            SlotClass::Writable => self.writable.push(slot),
            SlotClass::ReadOnly => self.read_only.push(slot),
        }
    }

    /// Put a file into an empty slot and tell the driver.
    pub(in crate::machine) fn attach(
        &mut self,
        (class, slot): (SlotClass, u8),
        file: File,
        serial: &str,
    ) -> Result<(), DriveError> {
        let place = self.find(class, slot)?;
        let serial = Serial::new(serial)?;
        // The guest finds a disk by its serial: two of a name would be one too many.
        if self.serials.values().any(|held| *held == serial) {
            return Err(DriveError::SerialTaken(serial.as_str().to_owned()));
        }
        place.with_device(|device| device.attach(file, serial.clone()))?;
        place.notify_config_change();
        self.serials.insert((class, slot), serial);
        Ok(())
    }

    /// Take the file out of a slot, close it and tell the driver.
    pub(in crate::machine) fn detach(
        &mut self,
        class: SlotClass,
        slot: u8,
    ) -> Result<(), DriveError> {
        let place = self.find(class, slot)?;
        let detached = place.with_device(BlockDevice::detach);
        detached.map_err(|source| DriveError::Empty {
            class: words(class),
            slot,
            source,
        })?;
        place.notify_config_change();
        self.serials.remove(&(class, slot));
        Ok(())
    }

    fn find(&self, class: SlotClass, slot: u8) -> Result<&BlockSlot, DriveError> {
        let slots = match class {
            SlotClass::Writable => &self.writable,
            SlotClass::ReadOnly => &self.read_only,
        };
        slots
            .get(usize::from(slot))
            .ok_or_else(|| DriveError::NoSlot {
                class: words(class),
                slot,
                count: slots.len(),
            })
    }
}

/// The device's word for a class.
pub(in crate::machine) fn device_class(class: SlotClass) -> BlockClass {
    match class {
        SlotClass::Writable => BlockClass::Writable,
        SlotClass::ReadOnly => BlockClass::ReadOnly,
    }
}

fn words(class: SlotClass) -> &'static str {
    match class {
        SlotClass::Writable => "writable",
        SlotClass::ReadOnly => "read-only",
    }
}

#[cfg(test)]
#[path = "tests/blocks.rs"]
mod tests;
