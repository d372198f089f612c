//! The virtio room: the contract of a device ([`device`]) and the MMIO transport that serves it.
//! Called by `vmm/machine`; calls nothing above it.

pub mod device;

pub use device::{DeviceError, InterruptLine, MmioHandler, Rings, VirtioDevice};
