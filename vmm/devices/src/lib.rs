//! Devices of the Husk VMM: virtio over MMIO (balloon, block, net, vsock, rng) and the few legacy ports that a
//! Linux guest needs. Knows no KVM: interrupts, memory and host files are handed in.
//!
//! The guest chooses every number that arrives here, so nothing in this crate may panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod balloon;
pub mod block;
pub mod legacy;
pub mod net;
pub mod rng;
pub mod virtio;
pub mod vsock;
