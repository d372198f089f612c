//! The walk through guest page tables.

use vm_memory::{Bytes, GuestAddress};

use super::super::guest::{Guest, LARGE, PRESENT, USER, WRITABLE};
use super::{Access, LinearMemory};
use crate::interp::insn::exception::Exception;

const AC: u64 = 1 << 18;

fn translate(guest: &Guest, address: u64, access: Access) -> Result<u64, Exception> {
    LinearMemory::new(&guest.memory, &guest.sregs, 0).translate(address, access)
}

#[test]
fn small_page_maps_and_its_bits_are_set() {
    let guest = Guest::new();
    guest.map(3, 0x123, PRESENT | WRITABLE);
    assert_eq!(translate(&guest, 0x3abc, Access::Read), Ok(0x12_3abc));
    assert_eq!(guest.entry(Guest::LOW + 3 * 8) & 0x60, 0x20);
    assert_eq!(translate(&guest, 0x3abc, Access::Write), Ok(0x12_3abc));
    assert_eq!(guest.entry(Guest::LOW + 3 * 8) & 0x60, 0x60);
}

#[test]
fn large_page_maps_its_whole_range() {
    let guest = Guest::new();
    guest.set_entry(Guest::MIDDLE + 8, 0x40_0000 | PRESENT | WRITABLE | LARGE);
    assert_eq!(translate(&guest, 0x2f_f123, Access::Write), Ok(0x4f_f123));
    assert_eq!(guest.entry(Guest::MIDDLE + 8) & 0x60, 0x60);
}

#[test]
fn missing_page_faults_with_address_and_kind() {
    let guest = Guest::new();
    let fault = Exception::page_fault(0x5008, 0);
    assert_eq!(translate(&guest, 0x5008, Access::Read), Err(fault));
    let fault = Exception::page_fault(0x5008, 2);
    assert_eq!(translate(&guest, 0x5008, Access::Write), Err(fault));
}

#[test]
fn store_to_a_read_only_page_faults_in_the_kernel_too() {
    let mut guest = Guest::new();
    guest.map(3, 9, PRESENT | USER);
    let fault = Exception::page_fault(0x3000, 3);
    assert_eq!(translate(&guest, 0x3000, Access::Write), Err(fault));
    assert_eq!(guest.entry(Guest::LOW + 3 * 8) & 0x60, 0);
    // Without CR0.WP the kernel may.
    guest.sregs.cr0 &= !(1 << 16);
    assert_eq!(translate(&guest, 0x3000, Access::Write), Ok(0x9000));
}

#[test]
fn protection_of_an_upper_table_counts() {
    let guest = Guest::new();
    guest.map(3, 9, PRESENT | WRITABLE);
    guest.set_entry(Guest::MIDDLE, Guest::LOW | PRESENT);
    let fault = Exception::page_fault(0x3000, 3);
    assert_eq!(translate(&guest, 0x3000, Access::Write), Err(fault));
}

#[test]
fn user_page_is_closed_to_the_kernel_under_smap_unless_ac_is_set() {
    let mut guest = Guest::new();
    guest.map(3, 9, PRESENT | USER);
    guest.sregs.cr4 |= 1 << 21;
    let fault = Exception::page_fault(0x3000, 1);
    assert_eq!(translate(&guest, 0x3000, Access::Read), Err(fault));
    let open = LinearMemory::new(&guest.memory, &guest.sregs, AC);
    assert_eq!(open.translate(0x3000, Access::Read), Ok(0x9000));
}

#[test]
fn kernel_page_is_closed_to_users() {
    let mut guest = Guest::new();
    guest.map(3, 9, PRESENT | WRITABLE);
    guest.sregs.ss.dpl = 3;
    let fault = Exception::page_fault(0x3000, 5);
    assert_eq!(translate(&guest, 0x3000, Access::Read), Err(fault));
}

#[test]
fn address_that_is_not_canonical_is_a_protection_fault() {
    let guest = Guest::new();
    for address in [1 << 47, 0xffff_7fff_ffff_ffff] {
        let expected = Err(Exception::GENERAL_PROTECTION);
        assert_eq!(translate(&guest, address, Access::Read), expected);
    }
}

#[test]
fn table_outside_of_memory_faults() {
    let mut guest = Guest::new();
    guest.sregs.cr3 = 0x7fff_ffff_f000;
    let fault = Exception::page_fault(0x3000, 0);
    assert_eq!(translate(&guest, 0x3000, Access::Read), Err(fault));
}

#[test]
fn bytes_across_pages_come_from_both() {
    let guest = Guest::new();
    guest.map(3, 0x20, PRESENT | WRITABLE);
    guest.map(4, 0x10, PRESENT | WRITABLE);
    let linear = LinearMemory::new(&guest.memory, &guest.sregs, 0);
    linear.write(0x3ffe, &[1, 2, 3, 4]).unwrap();
    let mut first = [0; 2];
    guest
        .memory
        .read_slice(&mut first, GuestAddress(0x2_0ffe))
        .unwrap();
    let mut second = [0; 2];
    guest
        .memory
        .read_slice(&mut second, GuestAddress(0x1_0000))
        .unwrap();
    assert_eq!((first, second), ([1, 2], [3, 4]));
    let mut both = [0; 4];
    linear.read(0x3ffe, &mut both).unwrap();
    assert_eq!(both, [1, 2, 3, 4]);
}
