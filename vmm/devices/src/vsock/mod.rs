//! The vsock room (virtio 1.2, 5.10): a device whose host side is one UNIX socket.
//!
//! A client connects, writes `CONNECT <port>\n` and gets `OK <host port>\n` once the guest has accepted;
//! from then on the socket is the stream. The host opens every stream; a guest's request is answered by RST.
//!
//! - [`config`]: what is asked for, what is saved. - `packet`, `chain`: guest bytes to checked values.
//! - `stream`: one stream, its guest half (a pure state machine) apart from its host half (a socket).
//! - `host`: descriptors of the host side. - `muxer`: all streams together. - [`device`]: the rings.
//!
//! Called by the slot of `virtio`; calls nothing above it.

mod chain;
pub mod config;
pub mod device;
pub mod error;
mod host;
mod muxer;
mod packet;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{Doorbell, Doorbells, GUEST_CIDS, Limits, VsockConfig, VsockState};
pub use device::Vsock;
pub use error::VsockError;
