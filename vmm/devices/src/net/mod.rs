//! The net room: a slot into which a network is plugged while the guest runs (virtio 1.2, 5.1).
//!
//! - `config`: features, configuration space, what a slot has for a time. - `port`: the plug itself, one frame waiting in
//!   each direction, and what is waited for. - `receive`, `transmit`: rings to frames and back; a frame is copied once, so
//!   that what is checked is what is sent. - `header`: the driver's header, checked. - `tap`: the room with unsafe code.
//!
//! `vmm/machine` builds one [`NetDevice`] for each slot and plugs a [`Tap`] in; tests plug in a [`Wire`] of their own.
//! Backpressure: without buffers of the guest the tap is not read, and what the tap does not take waits in the ring.

mod config;
mod device;
mod error;
mod header;
mod port;
mod receive;
mod tap;
#[cfg(test)]
mod tests;
mod transmit;

pub use config::{MacAddress, NetState, Nic, Offloads};
pub use device::{NetDevice, NetMetrics};
pub use error::{InvalidMac, NetSlotEmpty, PlugError};
pub use port::Wire;
pub use tap::{Tap, create_tap};
