//! The process around the machine: how it is told what to be, how it confines itself, who may speak to it.
//!
//! - [`launch`]: the configuration and its descriptors, checked. - [`jail`]: the process gives up what it does not need.
//! - `frames`: messages off a socket. - [`control`]: requests and news on the control connections.
//! - [`Worker`]: a thread that waits for descriptors (`poll`) and serves slots and control connections.
//!
//! [`log`]: warnings to standard error.
//!
//! Called by `machine/` and `main.rs`; calls the devices' [`husk_devices::virtio::MmioHandler`] and nothing of `kvm/`.

pub mod control;
mod frames;
pub mod jail;
pub mod launch;
pub mod log;
mod poll;
mod worker;

pub use frames::FrameError;
pub use worker::Worker;
