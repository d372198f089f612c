//! The balloon room (virtio 1.2, 5.5): memory that the guest does not use goes back to the host.
//!
//! What counts is free page reporting: the driver offers ranges that nobody in the guest uses, waits for them to come
//! back, and finds zeroes (or a template's bytes) when it uses them again. The classic balloon works too, with a size of 0.
//! Which ranges are pages of guest memory is decided here ([`ReturnPages`] is told of no others); what happens to them
//! is the resource's business. `vmm/machine` builds the device; it calls the resource only.

mod config;
mod device;
#[cfg(test)]
mod tests;

pub use config::{BalloonState, ReturnPages};
pub use device::BalloonDevice;
