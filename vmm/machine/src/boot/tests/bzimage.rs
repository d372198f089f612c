//! bzImage headers.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::{BzImage, is_bzimage, parse};
use crate::arch::SetupHeader;

const SIZE: u64 = 0x10_0000;

fn put(head: &mut [u8], at: usize, bytes: &[u8]) {
    head[at..at + bytes.len()].copy_from_slice(bytes);
}

fn bzimage() -> Vec<u8> {
    let mut head = vec![0; 0x1000];
    head[0x1f1] = 3;
    put(&mut head, 0x1fe, &[0x55, 0xaa]);
    // Header up to 0x268.
    head[0x201] = 0x66;
    put(&mut head, 0x202, b"HdrS");
    put(&mut head, 0x206, &0x20f_u16.to_le_bytes());
    head[0x211] = 1;
    head[0x234] = 1;
    put(&mut head, 0x236, &1_u16.to_le_bytes());
    put(&mut head, 0x258, &0x100_0000_u64.to_le_bytes());
    put(&mut head, 0x260, &0x200_0000_u32.to_le_bytes());
    head
}

#[test]
fn header_says_where_everything_goes() {
    let head = bzimage();
    assert!(is_bzimage(&head));
    let expected = BzImage {
        header: SetupHeader(head[0x1f1..0x268].to_vec()),
        offset: 4 * 512,
        address: 0x100_0000,
        entry: 0x100_0200,
        end: 0x300_0000,
    };
    assert_eq!(parse(&head, SIZE), Ok(expected));
}

#[test]
fn no_setup_sectors_mean_four() {
    let mut head = bzimage();
    head[0x1f1] = 0;
    assert_eq!(parse(&head, SIZE).unwrap().offset, 5 * 512);
}

#[test]
fn image_that_cannot_move_goes_to_one_mebibyte() {
    let mut head = bzimage();
    head[0x234] = 0;
    assert_eq!(parse(&head, SIZE).unwrap().address, 0x10_0000);
}

#[test]
fn old_protocol_low_load_and_missing_entry_are_refused() {
    for (at, value, word) in [
        (0x206, 0x05, "older"),
        (0x211, 0, "high"),
        (0x236, 0, "64-bit"),
    ] {
        let mut head = bzimage();
        head[at] = value;
        assert!(parse(&head, SIZE).unwrap_err().0.contains(word), "{at:#x}");
    }
}

#[test]
fn impossible_address_is_refused() {
    let mut head = bzimage();
    put(&mut head, 0x258, &0x1_0000_u64.to_le_bytes());
    assert_eq!(
        parse(&head, SIZE),
        Err(("bzimage prefers an impossible address", 0x1_0000))
    );
}

#[test]
fn file_without_a_protected_mode_part_is_refused() {
    let size = 4 * 512 + 0x200;
    assert_eq!(
        parse(&bzimage(), size),
        Err(("bzimage ends before its 64-bit entry, size", size))
    );
}

#[test]
fn header_cut_off_anywhere_is_refused() {
    let head = bzimage();
    for length in 0..0x268 {
        assert!(parse(&head[..length], SIZE).is_err(), "{length:#x}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_damage_is_refused_or_stays_within_the_file(
        at in 0x1f1_usize..0x268,
        value in any::<u64>(),
        size in 0_u64..SIZE,
    ) {
        let mut head = bzimage();
        put(&mut head, at, &value.to_le_bytes());
        if let Ok(image) = parse(&head, size) {
            assert!(image.offset < size);
            assert!(image.address >= 0x10_0000);
            assert!(image.end - image.address >= size - image.offset);
        }
    }
}
