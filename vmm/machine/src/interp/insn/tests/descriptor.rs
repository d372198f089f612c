//! Limits of segments, and who may know them.

use vm_memory::{Bytes, GuestAddress};

use super::super::guest::{Guest, PRESENT, WRITABLE};
use super::limit;
use crate::interp::insn::exception::Exception;
use crate::interp::insn::walk::LinearMemory;

const GDT: u64 = 0x3000;
/// What Linux keeps its CPU number in: data, read only, privilege 3, limit 0x5.
const CPU_NUMBER: u64 = 0x0040_f500_0000_0005;

fn asked(descriptor: u64, selector: u16, cpl: u8) -> Result<Option<u32>, Exception> {
    let mut guest = Guest::new();
    guest.map(3, 0x20, PRESENT | WRITABLE);
    let place = GuestAddress(0x2_0000 + u64::from(selector & !7));
    guest.memory.write_obj(descriptor, place).unwrap();
    guest.sregs.gdt.base = GDT;
    guest.sregs.gdt.limit = 0x7f;
    let memory = LinearMemory::new(&guest.memory, &guest.sregs, 0);
    let mut sregs = guest.sregs;
    sregs.ss.dpl = cpl;
    limit(&memory, &sregs, selector)
}

#[test]
fn cpu_number_is_told_to_everybody() {
    assert_eq!(asked(CPU_NUMBER, 0x7b, 0), Ok(Some(5)));
    assert_eq!(asked(CPU_NUMBER, 0x7b, 3), Ok(Some(5)));
}

#[test]
fn limit_in_pages_counts_bytes() {
    assert_eq!(asked(0x00cf_9300_0000_ffff, 0x18, 0), Ok(Some(u32::MAX)));
    assert_eq!(asked(0x008f_9300_0000_0000, 0x18, 0), Ok(Some(0xf000_0fff)));
}

#[test]
fn kernel_segment_is_not_told_to_users() {
    assert_eq!(asked(0x00cf_9300_0000_ffff, 0x18, 3), Ok(None));
    assert_eq!(asked(0x00cf_9300_0000_ffff, 0x1b, 0), Ok(None));
    // Conforming code is.
    assert_eq!(asked(0x00cf_9f00_0000_ffff, 0x1b, 3), Ok(Some(u32::MAX)));
}

#[test]
fn missing_null_and_gate_descriptors_have_no_limit() {
    assert_eq!(asked(CPU_NUMBER & !(1 << 47), 0x7b, 0), Ok(None));
    assert_eq!(asked(CPU_NUMBER, 0x3, 0), Ok(None));
    assert_eq!(asked(CPU_NUMBER, 0x80, 0), Ok(None));
    // An interrupt gate, then a busy task.
    assert_eq!(asked(0x0000_8e00_0000_0005, 0x18, 0), Ok(None));
    assert_eq!(asked(0x0000_8b00_0000_0005, 0x18, 0), Ok(Some(5)));
}

#[test]
fn table_that_is_not_mapped_faults() {
    let guest = Guest::new();
    let mut sregs = guest.sregs;
    sregs.gdt.base = 0x7000;
    sregs.gdt.limit = 0x7f;
    let memory = LinearMemory::new(&guest.memory, &sregs, 0);
    let fault = Exception::page_fault(0x7018, 0);
    assert_eq!(limit(&memory, &sregs, 0x18), Err(fault));
}
