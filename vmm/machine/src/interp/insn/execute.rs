//! What each completed instruction does to registers and memory.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use kvm_bindings::{kvm_regs, kvm_sregs};
use vm_memory::GuestMemoryMmap;

use super::descriptor;
use super::exception::Exception;
use super::walk::{Access, LinearMemory};
use super::xstate::Form;
use crate::sys::{compare_exchange_16, halves, pair};

/// The longest instruction.
pub(super) const MAX_INSTRUCTION_BYTES: usize = 15;

const CARRY: u64 = 1;
const PARITY: u64 = 1 << 2;
const ADJUST: u64 = 1 << 4;
const ZERO: u64 = 1 << 6;
const SIGN: u64 = 1 << 7;
const OVERFLOW: u64 = 1 << 11;
const ALIGNMENT_CHECK: u64 = 1 << 18;

const CR0_MP: u64 = 1 << 1;
const CR0_TS: u64 = 1 << 3;
const CR4_OSXSAVE: u64 = 1 << 18;
/// FSW.ES: an x87 exception waits to be raised.
const X87_PENDING: u16 = 1 << 7;

/// What is left to do by whoever holds the vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Registers and memory are as the instruction leaves them, RIP behind it.
    Done,
    /// RIP stands behind the instruction, and this trap is to be delivered there.
    Trap(Exception),
    /// Write the extended state to the area at this address.
    Save(u64, Form),
    /// Load the extended state from the area at this address.
    Restore(u64),
}

/// One vCPU's registers and memory, as an instruction sees them.
#[derive(Debug)]
pub(super) struct Cpu<'a> {
    pub(super) regs: kvm_regs,
    pub(super) sregs: &'a kvm_sregs,
    /// x87 status word.
    pub(super) x87_status: u16,
    pub(super) memory: &'a GuestMemoryMmap,
}

/// The instruction that `bytes`, found at `rip`, begin with.
pub(super) fn decode(bytes: &[u8], rip: u64) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, rip, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (instruction.code() != Code::INVALID).then_some(instruction)
}

/// Carry `instruction` out. `Ok(None)`: it is none of those that are completed here.
pub(super) fn execute(
    cpu: &mut Cpu<'_>,
    instruction: &Instruction,
) -> Result<Option<Outcome>, Exception> {
    let outcome = match instruction.mnemonic() {
        Mnemonic::Int3 => Outcome::Trap(Exception::BREAKPOINT),
        Mnemonic::Ud2 => return Err(Exception::INVALID_OPCODE),
        Mnemonic::Wait => wait(cpu)?,
        Mnemonic::Stac => set_flags(cpu, ALIGNMENT_CHECK, ALIGNMENT_CHECK),
        Mnemonic::Clac => set_flags(cpu, ALIGNMENT_CHECK, 0),
        Mnemonic::Popcnt => popcnt(cpu, instruction)?,
        Mnemonic::Lsl => lsl(cpu, instruction)?,
        Mnemonic::Verw => verw(cpu, instruction)?,
        Mnemonic::Cmpxchg16b => cmpxchg16b(cpu, instruction)?,
        Mnemonic::Xsave | Mnemonic::Xsave64 | Mnemonic::Xsaveopt | Mnemonic::Xsaveopt64 => {
            Outcome::Save(xsave_area(cpu, instruction)?, Form::Standard)
        }
        Mnemonic::Xsavec | Mnemonic::Xsavec64 => {
            Outcome::Save(xsave_area(cpu, instruction)?, Form::Compacted)
        }
        Mnemonic::Xrstor | Mnemonic::Xrstor64 => Outcome::Restore(xsave_area(cpu, instruction)?),
        _ => return Ok(None),
    };
    cpu.regs.rip = instruction.next_ip();
    Ok(Some(outcome))
}

fn wait(cpu: &Cpu<'_>) -> Result<Outcome, Exception> {
    let both = CR0_MP | CR0_TS;
    if cpu.sregs.cr0 & both == both {
        return Err(Exception::DEVICE_NOT_AVAILABLE);
    }
    if cpu.x87_status & X87_PENDING != 0 {
        return Err(Exception::X87_ERROR);
    }
    Ok(Outcome::Done)
}

fn set_flags(cpu: &mut Cpu<'_>, mask: u64, value: u64) -> Outcome {
    cpu.regs.rflags = (cpu.regs.rflags & !mask) | value;
    Outcome::Done
}

fn popcnt(cpu: &mut Cpu<'_>, instruction: &Instruction) -> Result<Outcome, Exception> {
    let target = instruction.op0_register();
    let source = match instruction.op1_kind() {
        OpKind::Register => read_register(&cpu.regs, instruction.op1_register()),
        _ => {
            let address = address(cpu, instruction, 1)?;
            let mut bytes = [0; 8];
            let size = target.size().min(bytes.len());
            linear(cpu).read(address, &mut bytes[..size])?;
            u64::from_le_bytes(bytes)
        }
    };
    write_register(&mut cpu.regs, target, u64::from(source.count_ones()));
    let all = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;
    Ok(set_flags(cpu, all, if source == 0 { ZERO } else { 0 }))
}

/// The selector in a register or in memory.
fn selector(cpu: &Cpu<'_>, instruction: &Instruction, operand: u32) -> Result<u16, Exception> {
    let mut selector = [0; 2];
    if instruction.op_kind(operand) == OpKind::Register {
        let register = instruction.op_register(operand);
        let [low, high, ..] = read_register(&cpu.regs, register).to_le_bytes();
        selector = [low, high];
    } else {
        linear(cpu).read(address(cpu, instruction, operand)?, &mut selector)?;
    }
    Ok(u16::from_le_bytes(selector))
}

fn verw(cpu: &mut Cpu<'_>, instruction: &Instruction) -> Result<Outcome, Exception> {
    let selector = selector(cpu, instruction, 0)?;
    let is_writable = descriptor::is_writable(&linear(cpu), cpu.sregs, selector)?;
    Ok(set_flags(cpu, ZERO, if is_writable { ZERO } else { 0 }))
}

fn lsl(cpu: &mut Cpu<'_>, instruction: &Instruction) -> Result<Outcome, Exception> {
    let selector = selector(cpu, instruction, 1)?;
    let Some(limit) = descriptor::limit(&linear(cpu), cpu.sregs, selector)? else {
        return Ok(set_flags(cpu, ZERO, 0));
    };
    write_register(&mut cpu.regs, instruction.op0_register(), u64::from(limit));
    Ok(set_flags(cpu, ZERO, ZERO))
}

fn cmpxchg16b(cpu: &mut Cpu<'_>, instruction: &Instruction) -> Result<Outcome, Exception> {
    let address = address(cpu, instruction, 0)?;
    if !address.is_multiple_of(16) {
        return Err(Exception::GENERAL_PROTECTION);
    }
    let physical = linear(cpu).translate(address, Access::Write)?;
    let regs = &mut cpu.regs;
    let expected = pair(regs.rdx, regs.rax);
    let new = pair(regs.rcx, regs.rbx);
    let found = compare_exchange_16(cpu.memory, physical, expected, new)
        .ok_or(Exception::GENERAL_PROTECTION)?;
    if found == expected {
        return Ok(set_flags(cpu, ZERO, ZERO));
    }
    (regs.rdx, regs.rax) = halves(found);
    Ok(set_flags(cpu, ZERO, 0))
}

fn xsave_area(cpu: &Cpu<'_>, instruction: &Instruction) -> Result<u64, Exception> {
    if cpu.sregs.cr4 & CR4_OSXSAVE == 0 {
        return Err(Exception::INVALID_OPCODE);
    }
    if cpu.sregs.cr0 & CR0_TS != 0 {
        return Err(Exception::DEVICE_NOT_AVAILABLE);
    }
    let area = address(cpu, instruction, 0)?;
    if area.is_multiple_of(64) {
        Ok(area)
    } else {
        Err(Exception::GENERAL_PROTECTION)
    }
}

fn linear<'a>(cpu: &Cpu<'a>) -> LinearMemory<'a> {
    LinearMemory::new(cpu.memory, cpu.sregs, cpu.regs.rflags)
}

/// Linear address of a memory operand.
fn address(cpu: &Cpu<'_>, instruction: &Instruction, operand: u32) -> Result<u64, Exception> {
    let value = |register: Register, _, _| match register {
        Register::FS => Some(cpu.sregs.fs.base),
        Register::GS => Some(cpu.sregs.gs.base),
        Register::CS | Register::DS | Register::ES | Register::SS => Some(0),
        register => Some(read_register(&cpu.regs, register)),
    };
    instruction
        .virtual_address(operand, 0, value)
        .ok_or(Exception::GENERAL_PROTECTION)
}

/// A general register, or the low part of one; other registers read 0.
fn read_register(regs: &kvm_regs, register: Register) -> u64 {
    let mut copy = *regs;
    let whole = slot(&mut copy, register).map_or(0, |value| *value);
    match register.size() {
        2 => whole & 0xffff,
        4 => whole & 0xffff_ffff,
        _ => whole,
    }
}

/// Write a general register as the CPU does: 32 bits clear the upper half, 16 bits leave the rest alone.
fn write_register(regs: &mut kvm_regs, register: Register, value: u64) {
    let size = register.size();
    if let Some(whole) = slot(regs, register) {
        *whole = match size {
            2 => (*whole & !0xffff) | (value & 0xffff),
            4 => value & 0xffff_ffff,
            _ => value,
        };
    }
}

fn slot(regs: &mut kvm_regs, register: Register) -> Option<&mut u64> {
    Some(match register.full_register() {
        Register::RAX => &mut regs.rax,
        Register::RBX => &mut regs.rbx,
        Register::RCX => &mut regs.rcx,
        Register::RDX => &mut regs.rdx,
        Register::RSI => &mut regs.rsi,
        Register::RDI => &mut regs.rdi,
        Register::RSP => &mut regs.rsp,
        Register::RBP => &mut regs.rbp,
        Register::R8 => &mut regs.r8,
        Register::R9 => &mut regs.r9,
        Register::R10 => &mut regs.r10,
        Register::R11 => &mut regs.r11,
        Register::R12 => &mut regs.r12,
        Register::R13 => &mut regs.r13,
        Register::R14 => &mut regs.r14,
        Register::R15 => &mut regs.r15,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "tests/execute.rs"]
mod tests;
