//! What a vCPU finds at an address or port that no memory backs.

use std::fmt;
use std::sync::Arc;

use husk_devices::virtio::MmioHandler;

use super::error::VmError;
use crate::arch::layout;

/// First port of COM1.
const COM1: u16 = 0x3f8;
/// Number of its registers.
const COM1_PORTS: u16 = 8;
/// Status and command port of the keyboard controller.
const I8042_COMMAND: u16 = 0x64;
/// Pulse the reset line.
const I8042_RESET: u8 = 0xfe;

/// A device with byte-wide registers behind ports.
pub trait PortDevice: Send + Sync {
    /// Read the register at `offset`.
    fn read(&self, offset: u8) -> u8;
    /// Write the register at `offset`.
    fn write(&self, offset: u8, value: u8);
}

/// What a write to a port asks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEffect {
    /// Nothing.
    None,
    /// The guest pulled the reset line.
    Reset,
}

struct MmioRange {
    base: u64,
    end: u64,
    handler: Arc<dyn MmioHandler>,
}

/// Devices by address. Built once, then shared by all vCPUs.
#[derive(Default)]
pub struct Bus {
    ranges: Vec<MmioRange>,
    serial: Option<Arc<dyn PortDevice>>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("ranges", &self.ranges.len())
            .field("serial", &self.serial.is_some())
            .finish()
    }
}

impl Bus {
    /// A bus with nothing on it but the reset line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Put a device at `[base, base + length)`.
    ///
    /// # Errors
    /// The range is outside of the device window or overlaps another.
    pub fn add_mmio(
        &mut self,
        base: u64,
        length: u64,
        handler: Arc<dyn MmioHandler>,
    ) -> Result<(), VmError> {
        let refused = || VmError::MmioRange(base);
        let end = base.checked_add(length).ok_or_else(refused)?;
        if length == 0 || base < layout::MMIO_START || end > layout::MMIO_END {
            return Err(refused());
        }
        let at = self.ranges.partition_point(|range| range.base < base);
        let after_previous = at == 0 || self.ranges[at - 1].end <= base;
        let before_next = self.ranges.get(at).is_none_or(|next| end <= next.base);
        if !(after_previous && before_next) {
            return Err(refused());
        }
        self.ranges.insert(at, MmioRange { base, end, handler });
        Ok(())
    }

    /// Connect COM1.
    pub fn set_serial(&mut self, serial: Arc<dyn PortDevice>) {
        self.serial = Some(serial);
    }

    fn find(&self, address: u64, length: usize) -> Option<(&MmioRange, u64)> {
        let at = self.ranges.partition_point(|range| range.base <= address);
        let range = self.ranges.get(at.checked_sub(1)?)?;
        let end = address.checked_add(u64::try_from(length).ok()?)?;
        (end <= range.end).then(|| (range, address - range.base))
    }

    /// A guest's load. What nobody answers reads as all ones.
    pub fn mmio_read(&self, address: u64, data: &mut [u8]) {
        match self.find(address, data.len()) {
            Some((range, offset)) => range.handler.read(offset, data),
            None => data.fill(0xff),
        }
    }

    /// A guest's store.
    pub fn mmio_write(&self, address: u64, data: &[u8]) {
        if let Some((range, offset)) = self.find(address, data.len()) {
            range.handler.write(offset, data);
        }
    }

    /// A guest's `in`, or `ins` with several bytes from one port.
    pub fn port_read(&self, port: u16, data: &mut [u8]) {
        match (port, &self.serial) {
            // Both buffers empty: whoever waits for that before a reset goes on.
            (I8042_COMMAND, _) => data.fill(0),
            (COM1.., Some(serial)) if port < COM1 + COM1_PORTS => {
                for byte in data {
                    *byte = serial.read(serial_register(port));
                }
            }
            _ => data.fill(0xff),
        }
    }

    /// A guest's `out`, or `outs` with several bytes to one port.
    pub fn port_write(&self, port: u16, data: &[u8]) -> PortEffect {
        match (port, &self.serial) {
            (I8042_COMMAND, _) if data.contains(&I8042_RESET) => return PortEffect::Reset,
            (COM1.., Some(serial)) if port < COM1 + COM1_PORTS => {
                for byte in data {
                    serial.write(serial_register(port), *byte);
                }
            }
            _ => {}
        }
        PortEffect::None
    }
}

/// Register of COM1 behind `port`, which is one of its ports.
fn serial_register(port: u16) -> u8 {
    port.to_le_bytes()[0] & 7
}

#[cfg(test)]
#[path = "tests/bus.rs"]
mod tests;
