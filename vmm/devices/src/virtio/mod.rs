//! The virtio room: the contract of a device ([`device`]), the MMIO transport that serves it
//! ([`mmio`]), and what devices share ([`ring`], [`config_space`]).
//! Called by `vmm/machine` and by the device rooms beside it; calls nothing above it.

pub mod config_space;
pub mod device;
pub mod mmio;
pub mod ring;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use device::{DeviceError, InterruptLine, MmioHandler, Progress, Rings, VirtioDevice};
pub use mmio::{MmioSlot, SlotState};
