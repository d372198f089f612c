//! The machine as KVM has it. `process/` builds a [`KvmVm`], puts devices on a [`Bus`] and runs [`Vcpus`];
//! this room calls `arch/`, `boot/`, `interp/` and `sys/`.

mod bus;
mod error;
mod irq;
pub mod memory;
mod vcpu;
mod vcpus;
mod vm;

pub use bus::{Bus, PortEffect};
pub use error::VmError;
pub use irq::IrqLine;
pub use memory::UnusedPages;
pub use vcpu::VcpuEvent;
pub use vcpus::{EventSink, Vcpus};
pub use vm::{KvmVm, MAX_VCPUS};
