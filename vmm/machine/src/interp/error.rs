//! Why an instruction could not be completed.

use thiserror::Error;

use crate::arch::ArchError;
use crate::sys::SysError;

/// The guest cannot go on.
#[derive(Debug, Error)]
pub enum InterpError {
    /// A KVM call failed.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// The throw-away machine of the probe cannot be made.
    #[error(transparent)]
    Arch(#[from] ArchError),
    /// The memory of the probe's machine cannot be had.
    #[error("memory of the probe's machine: {0}")]
    ProbeMemory(String),
    /// The probe's loop did not come to its end.
    #[error("the probe's machine ended with {0}, not with hlt")]
    ProbeExit(String),
    /// Not one of the instructions that are completed here.
    #[error("kvm cannot emulate the instruction at rip {rip:#x}, bytes {bytes:02x?}")]
    Unknown {
        /// Where it stands.
        rip: u64,
        /// Its first bytes.
        bytes: Vec<u8>,
    },
}
