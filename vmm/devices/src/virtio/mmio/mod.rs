//! The virtio-mmio transport, version 2 (virtio 1.2, 4.2.2): [`MmioSlot`] puts a register file in
//! front of any [`super::VirtioDevice`]. Called by vCPU threads (registers) and worker threads
//! (queues, host side); calls the device and the interrupt line.

mod registers;
mod slot;
mod state;
mod transport;

pub use registers::SLOT_SIZE;
pub use slot::{MmioSlot, SlotError};
pub use state::{QueueRegisters, RestoreError, SLOT_STATE_VERSION, SlotState, TransportState};
