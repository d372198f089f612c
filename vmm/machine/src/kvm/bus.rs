//! What a vCPU finds at an address or port that no memory backs.

use std::fmt;
use std::sync::Arc;

use husk_devices::legacy::PortBus;
use husk_devices::virtio::MmioHandler;

use super::error::VmError;
use crate::arch::layout;

/// Status and command port of the keyboard controller.
const I8042_COMMAND: u16 = 0x64;
/// Pulse the reset line.
const I8042_RESET: u8 = 0xfe;

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
    ports: Option<Arc<PortBus>>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("ranges", &self.ranges.len())
            .field("ports", &self.ports)
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

    /// Connect the legacy ports.
    pub fn set_ports(&mut self, ports: Arc<PortBus>) {
        self.ports = Some(ports);
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

    /// A guest's `in`. Without ports everything reads as all ones.
    pub fn port_read(&self, port: u16, data: &mut [u8]) {
        match &self.ports {
            Some(ports) => ports.read(port, data),
            None => data.fill(0xff),
        }
    }

    /// A guest's `out`. The reset line is the machine's own: it works without ports too.
    pub fn port_write(&self, port: u16, data: &[u8]) -> PortEffect {
        if let Some(ports) = &self.ports {
            ports.write(port, data);
        }
        if port == I8042_COMMAND && data.first() == Some(&I8042_RESET) {
            return PortEffect::Reset;
        }
        PortEffect::None
    }
}

#[cfg(test)]
#[path = "tests/bus.rs"]
mod tests;
