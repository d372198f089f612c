//! Why an instruction could not be completed.

use thiserror::Error;

use crate::arch::ArchError;

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
    /// The vCPU's state cannot be read or set.
    #[error(transparent)]
    Arch(#[from] ArchError),
    /// Not one of the instructions that are completed here.
    #[error("kvm cannot emulate the instruction at rip {rip:#x}, bytes {bytes:02x?}")]
    Unknown {
        /// Where it stands.
        rip: u64,
        /// Its first bytes.
        bytes: Vec<u8>,
    },
}

impl InterpError {
    /// For `map_err` on a call of `kvm-ioctls`.
    pub(super) fn kvm(call: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> Self {
        move |source| Self::Kvm { call, source }
    }
}
