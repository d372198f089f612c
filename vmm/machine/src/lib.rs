//! One KVM machine in one confined process (`husk-vmm`), and the messages by which it is told what to be.

pub mod api;
pub mod arch;
pub mod boot;
pub mod interp;
pub mod kvm;
pub mod machine;
pub mod process;
pub mod sys;

/// Taps, for the launcher: what a net slot is given.
pub mod tap {
    pub use husk_devices::net::create_tap;
}
