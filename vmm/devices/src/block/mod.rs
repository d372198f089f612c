//! The block room: a slot whose backing file comes and goes while the guest runs (virtio 1.2, 5.2).
//!
//! `vmm/machine` builds one [`BlockDevice`] for each slot, attaches and detaches files through the
//! slot's `with_device`, and raises the configuration change. A request goes through `request`
//! (untrusted chain to checked request, no side effects) and then through `disk` (which takes only
//! checked requests); `io` is the one room with unsafe code.

mod config;
mod device;
mod disk;
mod error;
mod io;
mod request;
mod segments;
#[cfg(test)]
mod tests;

pub use config::{BlockClass, SECTOR_SIZE, Serial};
pub use device::{BlockDevice, BlockMetrics, BlockState};
pub use error::{AttachError, InvalidSerial, SlotEmpty};
