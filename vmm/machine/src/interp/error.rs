//! Why an instruction could not be completed.

use thiserror::Error;

/// The guest cannot go on.
#[derive(Debug, Error)]
pub enum InterpError {
    /// A KVM call failed.
    #[error("{call}: {source}")]
    Kvm {
        /// The ioctl.
        call: &'static str,
        /// What the kernel answered.
        source: kvm_ioctls::Error,
    },
    /// Not one of the instructions that are completed here.
    #[error("kvm cannot emulate the instruction at rip {rip:#x}, bytes {bytes:02x?}")]
    Unknown {
        /// Where it stands.
        rip: u64,
        /// Its first bytes.
        bytes: Vec<u8>,
    },
}
