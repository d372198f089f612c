//! Completion of the instructions that an interpreting KVM has no emulation for: fetch, decode, carry out, and
//! give the result back to KVM.

use iced_x86::Instruction;
use kvm_bindings::{CpuId, kvm_regs, kvm_sregs};
use kvm_ioctls::{Kvm, VcpuFd};
use vm_memory::GuestMemoryMmap;

use super::exception::Exception;
use super::execute::{self, Cpu, MAX_INSTRUCTION_BYTES, Outcome};
use super::walk::LinearMemory;
use super::xstate::{Form, Layout, Transfer};
use crate::interp::InterpError;
use crate::sys::{SysError, XsaveArea};

/// Completes instructions of one vCPU.
#[derive(Debug)]
pub struct Completer {
    memory: GuestMemoryMmap,
    layout: Layout,
    area: XsaveArea,
    second_look: SecondLook,
}

impl Completer {
    /// For a vCPU of a machine with `memory`; `features` is what KVM supports.
    #[must_use]
    pub fn new(kvm: &Kvm, features: &CpuId, memory: GuestMemoryMmap) -> Self {
        Self {
            memory,
            layout: Layout::new(features),
            area: XsaveArea::new(kvm),
            second_look: SecondLook::default(),
        }
    }

    /// Complete the instruction at the vCPU's RIP, after an emulation failure: then the vCPU stands behind it, or
    /// raises the exception that it raises. Bytes that KVM should have emulated are left to it once more: see
    /// [`SecondLook`].
    ///
    /// # Errors
    /// It is none that can be completed, or KVM refuses its result.
    pub fn complete(&mut self, vcpu: &VcpuFd) -> Result<(), InterpError> {
        let regs = vcpu.get_regs().map_err(SysError::kvm("KVM_GET_REGS"))?;
        let sregs = vcpu.get_sregs().map_err(SysError::kvm("KVM_GET_SREGS"))?;
        let bytes = self.fetch(&regs, &sregs);
        let Some(instruction) = execute::decode(&bytes, regs.rip) else {
            return self.second_look.take(regs.rip, bytes);
        };
        let memory = self.memory.clone();
        let mut cpu = Cpu {
            regs,
            sregs: &sregs,
            x87_status: x87_status(vcpu, &instruction)?,
            memory: &memory,
        };
        let linear = LinearMemory::new(&memory, &sregs, regs.rflags);
        let raised = match execute::execute(&mut cpu, &instruction) {
            Ok(None) => return self.second_look.take(regs.rip, bytes),
            Ok(Some(Outcome::Done)) => None,
            Ok(Some(Outcome::Trap(trap))) => {
                set_regs(vcpu, &cpu.regs)?;
                Some(trap)
            }
            Ok(Some(Outcome::Save(address, form))) => {
                self.save(vcpu, &linear, &regs, address, form)?.err()
            }
            Ok(Some(Outcome::Restore(address))) => {
                self.restore(vcpu, &linear, &regs, address)?.err()
            }
            Err(exception) => Some(exception),
        };
        match raised {
            None => set_regs(vcpu, &cpu.regs)?,
            Some(exception) => raise(vcpu, &sregs, exception)?,
        }
        Ok(())
    }

    /// The bytes at RIP, as many as are mapped.
    fn fetch(&self, regs: &kvm_regs, sregs: &kvm_sregs) -> Vec<u8> {
        let linear = LinearMemory::new(&self.memory, sregs, regs.rflags);
        let in_page = 4096 - usize::try_from(regs.rip % 4096).unwrap_or(0);
        for length in [MAX_INSTRUCTION_BYTES, MAX_INSTRUCTION_BYTES.min(in_page)] {
            let mut bytes = vec![0; length];
            if linear.read(regs.rip, &mut bytes).is_ok() {
                return bytes;
            }
        }
        Vec::new()
    }

    fn save(
        &mut self,
        vcpu: &VcpuFd,
        linear: &LinearMemory<'_>,
        regs: &kvm_regs,
        address: u64,
        form: Form,
    ) -> Result<Result<(), Exception>, InterpError> {
        self.area.load(vcpu)?;
        let transfer = self.transfer(vcpu, linear, regs, address)?;
        Ok(transfer.save(self.area.words(), form))
    }

    fn restore(
        &mut self,
        vcpu: &VcpuFd,
        linear: &LinearMemory<'_>,
        regs: &kvm_regs,
        address: u64,
    ) -> Result<Result<(), Exception>, InterpError> {
        self.area.load(vcpu)?;
        let mut state = self.area.words().to_vec();
        let transfer = self.transfer(vcpu, linear, regs, address)?;
        if let Err(exception) = transfer.restore(&mut state) {
            return Ok(Err(exception));
        }
        self.area.words_mut().copy_from_slice(&state);
        self.area.store(vcpu)?;
        Ok(Ok(()))
    }

    fn transfer<'a>(
        &'a self,
        vcpu: &VcpuFd,
        memory: &'a LinearMemory<'a>,
        regs: &kvm_regs,
        address: u64,
    ) -> Result<Transfer<'a>, InterpError> {
        let xcrs = vcpu.get_xcrs().map_err(SysError::kvm("KVM_GET_XCRS"))?;
        let xcr0 = xcrs.xcrs.first().map_or(1, |register| register.value);
        let asked = (regs.rdx << 32) | (regs.rax & 0xffff_ffff);
        Ok(Transfer {
            layout: &self.layout,
            memory,
            address,
            mask: asked & xcr0,
            xcr0,
        })
    }
}

/// What KVM gets to see twice. A kernel patches its text behind an INT3 while another CPU runs there: by the time that
/// the bytes are fetched here, the INT3 that KVM failed on may be gone.
#[derive(Debug, Default)]
struct SecondLook {
    /// RIP and bytes of the last failure that could not be completed.
    last: Option<(u64, Vec<u8>)>,
}

impl SecondLook {
    /// Lets KVM try again what it was not left to try again just before.
    fn take(&mut self, rip: u64, bytes: Vec<u8>) -> Result<(), InterpError> {
        let failure = (rip, bytes);
        if self.last.as_ref() == Some(&failure) {
            let (rip, bytes) = failure;
            return Err(InterpError::Unknown { rip, bytes });
        }
        self.last = Some(failure);
        Ok(())
    }
}

/// FSW, for the one instruction that looks at it.
fn x87_status(vcpu: &VcpuFd, instruction: &Instruction) -> Result<u16, InterpError> {
    if instruction.mnemonic() != iced_x86::Mnemonic::Wait {
        return Ok(0);
    }
    let fpu = vcpu.get_fpu().map_err(SysError::kvm("KVM_GET_FPU"))?;
    Ok(fpu.fsw)
}

fn set_regs(vcpu: &VcpuFd, regs: &kvm_regs) -> Result<(), SysError> {
    vcpu.set_regs(regs).map_err(SysError::kvm("KVM_SET_REGS"))
}

/// Deliver `exception` at the vCPU's RIP.
fn raise(vcpu: &VcpuFd, sregs: &kvm_sregs, exception: Exception) -> Result<(), SysError> {
    if let Some(cr2) = exception.address {
        let sregs = kvm_sregs { cr2, ..*sregs };
        vcpu.set_sregs(&sregs)
            .map_err(SysError::kvm("KVM_SET_SREGS"))?;
    }
    let mut events = vcpu
        .get_vcpu_events()
        .map_err(SysError::kvm("KVM_GET_VCPU_EVENTS"))?;
    events.exception.injected = 1;
    events.exception.nr = exception.vector;
    events.exception.has_error_code = u8::from(exception.error_code.is_some());
    events.exception.error_code = exception.error_code.unwrap_or(0);
    vcpu.set_vcpu_events(&events)
        .map_err(SysError::kvm("KVM_SET_VCPU_EVENTS"))
}

#[cfg(test)]
#[path = "tests/complete.rs"]
mod tests;
