//! Sizes and pieces of guest memory.

use vm_memory::{Bytes, GuestAddress};

use super::{MAX_MIB, map, ranges};
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
