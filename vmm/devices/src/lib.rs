//! Devices of the Husk VMM: virtio over MMIO (block, vsock, rng) and the few legacy ports that a
//! Linux guest needs. Knows no KVM: interrupts, memory and host files are handed in.

pub mod virtio;
