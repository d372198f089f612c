//! Completion of the instructions that an interpreting KVM has no emulation for.

use kvm_ioctls::{Kvm, VcpuFd};
use vm_memory::GuestMemoryMmap;

use super::error::InterpError;

/// What came of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The vCPU stands behind the instruction, or at the handler of the exception that it raises.
    Done,
}

/// Completes instructions of one vCPU.
#[derive(Debug)]
pub struct Completer {
    _memory: GuestMemoryMmap,
}

impl Completer {
    /// For a vCPU of a machine with `memory`.
    #[must_use]
    pub fn new(_kvm: &Kvm, memory: GuestMemoryMmap) -> Self {
        Self { _memory: memory }
    }

    /// Complete the instruction at the vCPU's RIP, after an emulation failure.
    ///
    /// # Errors
    /// It is none that can be completed, or KVM refuses its result.
    pub fn complete(&mut self, vcpu: &VcpuFd) -> Result<Completed, InterpError> {
        let regs = vcpu.get_regs().map_err(|source| InterpError::Kvm {
            call: "KVM_GET_REGS",
            source,
        })?;
        Err(InterpError::Unknown {
            rip: regs.rip,
            bytes: Vec::new(),
        })
    }
}
