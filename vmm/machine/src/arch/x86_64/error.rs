//! What can go wrong while a vCPU gets its first state.

use thiserror::Error;

use crate::sys::SysError;

/// KVM refused a piece of state, or guest memory is too small for a table.
#[derive(Debug, Error)]
pub enum ArchError {
    /// A KVM call failed.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// A table does not fit into guest memory.
    #[error("{what} at {address:#x} of guest memory: {source}")]
    GuestMemory {
        /// The table.
        what: &'static str,
        /// Where it belongs.
        address: u64,
        /// What is wrong with that place.
        source: vm_memory::GuestMemoryError,
    },
    /// More CPUID entries than KVM takes.
    #[error("{0} cpuid entries are more than kvm takes")]
    CpuidEntries(usize),
    /// KVM took only some of the model-specific registers.
    #[error("kvm refused model-specific register {0:#x}")]
    Msr(u32),
}

impl ArchError {
    pub(super) fn memory(
        what: &'static str,
        address: u64,
    ) -> impl FnOnce(vm_memory::GuestMemoryError) -> Self {
        move |source| Self::GuestMemory {
            what,
            address,
            source,
        }
    }
}
