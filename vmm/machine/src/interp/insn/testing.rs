//! A door for the fuzz target: one instruction on made-up registers and memory, without KVM.

use kvm_bindings::{CpuId, kvm_cpuid_entry2, kvm_regs, kvm_sregs};
use vm_memory::GuestMemoryMmap;

use super::execute::{self, Cpu, Outcome};
use super::walk::LinearMemory;
use super::xstate::{Layout, Transfer};

/// x87, SSE, AVX and one component of 8 bytes.
const XCR0: u64 = 0b111 | (1 << 9);
const STATE_WORDS: usize = 512;

/// Carry out the instruction that `code` begins with, as after a failed emulation. The registers after it; `None` if
/// it is not completed here, or raises an exception.
#[must_use]
pub fn carry_out(
    memory: &GuestMemoryMmap,
    regs: kvm_regs,
    sregs: &kvm_sregs,
    code: &[u8],
) -> Option<kvm_regs> {
    let instruction = execute::decode(code, regs.rip)?;
    let mut cpu = Cpu {
        regs,
        sregs,
        x87_status: 0,
        memory,
    };
    let outcome = execute::execute(&mut cpu, &instruction).ok()??;
    let layout = Layout::new(&features()?);
    let linear = LinearMemory::new(memory, sregs, regs.rflags);
    let transfer = |address| Transfer {
        layout: &layout,
        memory: &linear,
        address,
        mask: ((regs.rdx << 32) | (regs.rax & 0xffff_ffff)) & XCR0,
        xcr0: XCR0,
    };
    let mut state = vec![0; STATE_WORDS];
    match outcome {
        Outcome::Done | Outcome::Trap(_) => {}
        Outcome::Save(address, form) => transfer(address).save(&state, form).ok()?,
        Outcome::Restore(address) => transfer(address).restore(&mut state).ok()?,
    }
    Some(cpu.regs)
}

fn features() -> Option<CpuId> {
    let leaf = |index, eax, ebx| kvm_cpuid_entry2 {
        function: 0xd,
        index,
        eax,
        ebx,
        ..Default::default()
    };
    CpuId::from_entries(&[leaf(2, 256, 576), leaf(9, 8, 2688)]).ok()
}
