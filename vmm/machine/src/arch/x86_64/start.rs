//! The state of a vCPU before its first instruction.
//!
//! The first vCPU starts in 64-bit mode with the low 4 GiB mapped to itself, as the Linux boot protocol wants it
//! (Documentation/arch/x86/boot.rst, "64-bit boot protocol"); the others wait for INIT and SIPI, which KVM handles.

use kvm_bindings::{CpuId, Msrs, kvm_fpu, kvm_msr_entry, kvm_regs, kvm_segment};
use kvm_ioctls::{Kvm, VcpuFd};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::error::ArchError;
use super::{cpuid, layout};
use crate::api::config::KvmKind;
use crate::sys::SysError;

const MSR_MISC_ENABLE: u32 = 0x1a0;
const MISC_ENABLE_FAST_STRING: u64 = 1;
const MSR_MTRR_DEF_TYPE: u32 = 0x2ff;
const MTRR_ENABLE_WRITE_BACK: u64 = (1 << 11) | 6;

const CR0_PE: u64 = 1;
const CR0_ET: u64 = 1 << 4;
const CR0_NE: u64 = 1 << 5;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;

const PRESENT_WRITABLE: u64 = 3;
const LARGE_PAGE: u64 = 1 << 7;
const PAGE_BYTES: u64 = 4096;
const ENTRIES: u64 = 512;

/// Selectors of the boot protocol: `__BOOT_CS` and `__BOOT_DS`, and a task segment that VT-x wants.
const CODE: u16 = 0x10;
const DATA: u16 = 0x18;
const TASK: u16 = 0x20;
/// Flat 64-bit code, flat data, an available task segment; null twice before them.
const GDT: [u64; 5] = [
    0,
    0,
    0x00af_9b00_0000_ffff,
    0x00cf_9300_0000_ffff,
    0x008f_8b00_0000_ffff,
];

const LAPIC_LVT_LINT0: usize = 0x350;
const LAPIC_LVT_LINT1: usize = 0x360;
const DELIVERY_MODE: u32 = 0x700;
const DELIVER_EXTINT: u32 = 0x700;
const DELIVER_NMI: u32 = 0x400;

/// Features, registers that firmware would set, and interrupt pins of vCPU `id` of `count`; `supported` is what KVM does.
///
/// # Errors
/// KVM refuses a piece of state.
pub fn prepare_vcpu(
    kvm: &Kvm,
    vcpu: &VcpuFd,
    supported: &CpuId,
    kind: KvmKind,
    (id, count): (u8, u8),
) -> Result<(), ArchError> {
    let features = cpuid::for_vcpu(supported, kind, id, count)?;
    vcpu.set_cpuid2(&features)
        .map_err(SysError::kvm("KVM_SET_CPUID2"))?;
    set_msrs(kvm, vcpu)?;
    vcpu.set_fpu(&kvm_fpu {
        fcw: 0x37f,
        mxcsr: 0x1f80,
        ..Default::default()
    })
    .map_err(SysError::kvm("KVM_SET_FPU"))?;
    set_interrupt_pins(vcpu)
}

/// What firmware leaves behind, as far as this host's KVM knows the registers.
fn set_msrs(kvm: &Kvm, vcpu: &VcpuFd) -> Result<(), ArchError> {
    let known = kvm
        .get_msr_index_list()
        .map_err(SysError::kvm("KVM_GET_MSR_INDEX_LIST"))?;
    // The MTRRs are in no list but in every KVM.
    let wanted = [
        (MSR_MISC_ENABLE, MISC_ENABLE_FAST_STRING),
        (MSR_MTRR_DEF_TYPE, MTRR_ENABLE_WRITE_BACK),
    ];
    for (index, data) in wanted {
        if index == MSR_MISC_ENABLE && !known.as_slice().contains(&index) {
            continue;
        }
        let entry = kvm_msr_entry {
            index,
            data,
            ..Default::default()
        };
        let msrs = Msrs::from_entries(&[entry]).map_err(|_| ArchError::Msr(index))?;
        let set = vcpu
            .set_msrs(&msrs)
            .map_err(SysError::kvm("KVM_SET_MSRS"))?;
        if set != 1 {
            return Err(ArchError::Msr(index));
        }
    }
    Ok(())
}

/// LINT0 takes the old interrupt controller's line, LINT1 the NMI, as the MP table says.
fn set_interrupt_pins(vcpu: &VcpuFd) -> Result<(), ArchError> {
    let mut lapic = vcpu.get_lapic().map_err(SysError::kvm("KVM_GET_LAPIC"))?;
    for (register, mode) in [
        (LAPIC_LVT_LINT0, DELIVER_EXTINT),
        (LAPIC_LVT_LINT1, DELIVER_NMI),
    ] {
        let bytes = &mut lapic.regs[register..register + 4];
        let old = bytes.iter().rev().fold(0_u32, |value, byte| {
            (value << 8) | u32::from(byte.cast_unsigned())
        });
        let new = (old & !DELIVERY_MODE) | mode;
        for (byte, value) in bytes.iter_mut().zip(new.to_le_bytes()) {
            *byte = value.cast_signed();
        }
    }
    Ok(vcpu
        .set_lapic(&lapic)
        .map_err(SysError::kvm("KVM_SET_LAPIC"))?)
}

/// Set the first vCPU to 64-bit mode at `entry` with RSI at the zero page, and write the tables that it needs.
///
/// # Errors
/// KVM refuses the registers, or guest memory is too small.
pub fn start_at(memory: &GuestMemoryMmap, vcpu: &VcpuFd, entry: u64) -> Result<(), ArchError> {
    write_page_tables(memory)?;
    for (at, descriptor) in (0_u64..).zip(GDT) {
        let address = layout::GDT + at * 8;
        memory
            .write_obj(descriptor, GuestAddress(address))
            .map_err(ArchError::memory("descriptor table", address))?;
    }
    let mut sregs = vcpu.get_sregs().map_err(SysError::kvm("KVM_GET_SREGS"))?;
    let data = segment(DATA);
    sregs.cs = segment(CODE);
    (sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss) = (data, data, data, data, data);
    sregs.tr = segment(TASK);
    sregs.gdt.base = layout::GDT;
    sregs.gdt.limit = 8 * 5 - 1;
    sregs.idt.base = 0;
    sregs.idt.limit = 0;
    sregs.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
    sregs.cr3 = layout::PAGE_TABLES;
    sregs.cr4 = CR4_PAE;
    sregs.efer = EFER_LME | EFER_LMA;
    vcpu.set_sregs(&sregs)
        .map_err(SysError::kvm("KVM_SET_SREGS"))?;
    let regs = kvm_regs {
        rip: entry,
        rsi: layout::ZERO_PAGE,
        rflags: 2,
        ..Default::default()
    };
    Ok(vcpu
        .set_regs(&regs)
        .map_err(SysError::kvm("KVM_SET_REGS"))?)
}

/// Six pages: one entry, four entries, and four tables of 512 pages of 2 MiB: all below 4 GiB, mapped to itself.
fn write_page_tables(memory: &GuestMemoryMmap) -> Result<(), ArchError> {
    let top = layout::PAGE_TABLES;
    let middle = top + PAGE_BYTES;
    let low = middle + PAGE_BYTES;
    let mut entries = vec![(top, middle | PRESENT_WRITABLE)];
    for gib in 0..4 {
        let table = low + gib * PAGE_BYTES;
        entries.push((middle + gib * 8, table | PRESENT_WRITABLE));
    }
    let pages = 0..4 * ENTRIES;
    entries.extend(pages.map(|at| (low + at * 8, (at << 21) | LARGE_PAGE | PRESENT_WRITABLE)));
    for (address, value) in entries {
        memory
            .write_obj(value, GuestAddress(address))
            .map_err(ArchError::memory("page table", address))?;
    }
    Ok(())
}

/// The hidden part of a segment register for one of [`GDT`]'s descriptors.
fn segment(selector: u16) -> kvm_segment {
    let descriptor = GDT[usize::from(selector / 8)];
    let bits = |from: u32, count: u32| {
        u8::try_from((descriptor >> from) & ((1 << count) - 1)).unwrap_or(u8::MAX)
    };
    kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector,
        type_: bits(40, 4),
        s: bits(44, 1),
        dpl: bits(45, 2),
        present: bits(47, 1),
        avl: bits(52, 1),
        l: bits(53, 1),
        db: bits(54, 1),
        g: bits(55, 1),
        unusable: 0,
        padding: 0,
    }
}
