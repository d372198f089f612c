//! Finding out what kind of KVM the host has and how fast it is: run a loop of a known number of instructions in a
//! throw-away machine, and look at KVM's own counter of interpreted instructions.

use std::os::fd::OwnedFd;
use std::time::Instant;

use kvm_ioctls::{VcpuExit, VcpuFd};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::error::InterpError;
use crate::api::config::{HostKvm, KvmKind};
use crate::arch;
use crate::sys::{self, InstructionCounter, SysError};

/// Enough for the tables of [`arch::start_at`] and the loop.
const MEMORY_BYTES: usize = 1 << 20;
const CODE: u64 = 0x8_0000;
const DATA: u64 = 0x8_1000;
/// A kernel's mix: arithmetic, a store, a load, a branch.
///
/// `again: dec ecx; mov [rsi], ecx; mov eax, [rsi]; jnz again; hlt`
const LOOP: [u8; 9] = [0xff, 0xc9, 0x89, 0x0e, 0x8b, 0x06, 0x75, 0xf8, 0xf4];
const LOOP_INSTRUCTIONS: u64 = 4;
/// Times around the loop in one measurement.
const ROUNDS: u64 = 500;
/// The fastest of them counts: the others were disturbed.
const MEASUREMENTS: u32 = 5;

/// What kind of KVM `kvm` (an open `/dev/kvm`) is, and its speed. Takes 10 to 50 ms where code is interpreted.
///
/// # Errors
/// No machine can be made.
pub fn probe(kvm: OwnedFd) -> Result<HostKvm, InterpError> {
    let kvm = sys::kvm_from(kvm);
    let vm = kvm.create_vm().map_err(SysError::kvm("KVM_CREATE_VM"))?;
    let memory = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), MEMORY_BYTES)])
        .map_err(|e| InterpError::ProbeMemory(e.to_string()))?;
    sys::set_memory(&vm, &memory)?;
    memory
        .write_slice(&LOOP, GuestAddress(CODE))
        .map_err(|e| InterpError::ProbeMemory(e.to_string()))?;
    let mut vcpu = vm
        .create_vcpu(0)
        .map_err(SysError::kvm("KVM_CREATE_VCPU"))?;
    let counter = InstructionCounter::new(&vcpu)?;
    let before = counter.read()?;
    let mut fastest_ns = u128::MAX;
    for _ in 0..MEASUREMENTS {
        fastest_ns = fastest_ns.min(measure(&memory, &mut vcpu)?);
    }
    let interpreted = counter.read()? - before;
    let executed = ROUNDS * LOOP_INSTRUCTIONS * u64::from(MEASUREMENTS);
    if interpreted < executed / 2 {
        return Ok(HostKvm {
            kind: KvmKind::Hardware,
            ns_per_instruction: 0,
        });
    }
    let per_instruction = fastest_ns / u128::from(ROUNDS * LOOP_INSTRUCTIONS);
    Ok(HostKvm {
        kind: KvmKind::Interpreting,
        ns_per_instruction: u32::try_from(per_instruction).unwrap_or(u32::MAX).max(1),
    })
}

/// Nanoseconds of one run of the loop.
fn measure(memory: &GuestMemoryMmap, vcpu: &mut VcpuFd) -> Result<u128, InterpError> {
    arch::start_at(memory, vcpu, CODE)?;
    let mut regs = vcpu.get_regs().map_err(SysError::kvm("KVM_GET_REGS"))?;
    regs.rcx = ROUNDS;
    regs.rsi = DATA;
    vcpu.set_regs(&regs)
        .map_err(SysError::kvm("KVM_SET_REGS"))?;
    let begin = Instant::now();
    match vcpu.run().map_err(SysError::kvm("KVM_RUN"))? {
        VcpuExit::Hlt => Ok(begin.elapsed().as_nanos()),
        other => Err(InterpError::ProbeExit(format!("{other:?}"))),
    }
}
