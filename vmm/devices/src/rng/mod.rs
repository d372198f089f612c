//! The entropy room (virtio 1.2, 5.4): one queue of buffers that the device fills from the host's
//! random number generator. `vmm/machine` builds it; it calls the host's `getrandom` only.

mod device;
#[cfg(test)]
mod tests;

pub use device::{RngDevice, RngState};
