//! Sizes and pieces of guest memory.

use husk_devices::balloon::ReturnPages;
use vm_memory::{Bytes, GuestAddress};

use super::{MAX_MIB, UnusedPages, map, ranges};
use crate::arch::layout;

#[test]
fn memory_up_to_the_device_window_is_one_piece() {
    assert_eq!(ranges(256), [(0, 256 << 20)]);
    assert_eq!(ranges(3072), [(0, layout::LOW_MEMORY_END)]);
}

#[test]
fn memory_beyond_the_device_window_is_two_pieces_without_loss() {
    let pieces = ranges(3073);
    assert_eq!(
        pieces,
        [
            (0, layout::LOW_MEMORY_END),
            (layout::HIGH_MEMORY_START, 1 << 20)
        ]
    );
    let total: u64 = ranges(8192).iter().map(|(_, length)| length).sum();
    assert_eq!(total, 8 << 30);
}

#[test]
fn size_out_of_range_is_refused_with_the_range() {
    for size in [0, 63, MAX_MIB + 1, u32::MAX] {
        let text = map(size).unwrap_err().to_string();
        assert_eq!(
            text,
            format!("guest memory of {size} MiB is not between 64 and {MAX_MIB}")
        );
    }
}

#[test]
fn both_pieces_hold_bytes_and_the_window_does_not() {
    let memory = map(5 << 10).unwrap();
    let last = GuestAddress(layout::HIGH_MEMORY_START + (2 << 30) - 1);
    for address in [
        GuestAddress(0),
        GuestAddress(layout::LOW_MEMORY_END - 1),
        last,
    ] {
        memory.write_obj(0x5a_u8, address).unwrap();
        assert_eq!(memory.read_obj::<u8>(address).unwrap(), 0x5a);
    }
    assert!(
        memory
            .write_obj(1_u8, GuestAddress(layout::MMIO_START))
            .is_err()
    );
}

#[test]
fn returned_pages_are_empty_and_their_neighbours_are_not() {
    let memory = map(64).unwrap();
    let page = 4096;
    for at in 0..4 {
        memory.write_obj(0x5a_u8, GuestAddress(at * page)).unwrap();
    }
    let mut pages = UnusedPages::new(memory.clone());
    pages.return_pages(GuestAddress(page), 2 * page).unwrap();
    let bytes = [0, 1, 2, 3].map(|at| memory.read_obj::<u8>(GuestAddress(at * page)).unwrap());
    assert_eq!(bytes, [0x5a, 0, 0, 0x5a]);
    let outside = GuestAddress((64 << 20) - page);
    assert!(pages.return_pages(outside, 2 * page).is_err());
    assert!(pages.return_pages(GuestAddress(1), page).is_err());
}
