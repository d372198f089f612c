//! The zero page, read as a kernel reads it.

use super::{SetupHeader, ZeroPage, e820};
use crate::arch::layout;

#[test]
fn page_without_a_header_says_what_one_would() {
    let page = ZeroPage::new(None);
    let bytes = page.bytes();
    assert_eq!(bytes[0x1fe..0x200], [0x55, 0xaa]);
    assert_eq!(&bytes[0x202..0x206], b"HdrS");
    assert_eq!(bytes[0x210], 0xff);
}

#[test]
fn header_of_the_kernel_is_copied_whole() {
    let header: Vec<u8> = (0..0x7b).collect();
    let page = ZeroPage::new(Some(&SetupHeader(header.clone())));
    let mut expected = header;
    expected[0x210 - 0x1f1] = 0xff;
    assert_eq!(page.bytes()[0x1f1..0x26c], expected);
    assert_eq!(page.bytes()[0x26c], 0);
}

#[test]
fn header_too_long_does_not_reach_the_memory_map() {
    let page = ZeroPage::new(Some(&SetupHeader(vec![1; 0x1000])));
    assert_eq!(page.bytes()[0x28f], 1);
    assert_eq!(page.bytes()[0x290..], [0; 0x1000 - 0x290]);
}

#[test]
fn small_machine_has_one_range_above_the_hole() {
    let map = e820::map(&[(0, 256 << 20)]);
    let plain: Vec<_> = map.iter().map(|e| (e.start, e.length, e.kind)).collect();
    let expected = [
        (0, 0x9_fc00, 1),
        (0x9_fc00, 0x400, 2),
        (0x10_0000, (256 << 20) - 0x10_0000, 1),
    ];
    assert_eq!(plain, expected);
}

#[test]
fn memory_beyond_the_device_window_continues_at_four_gibibytes() {
    let high = (layout::HIGH_MEMORY_START, 2 << 30);
    let map = e820::map(&[(0, layout::LOW_MEMORY_END), high]);
    let last = map.last().unwrap();
    assert_eq!((last.start, last.length), high);
    for entry in &map {
        let end = entry.start + entry.length;
        assert!(end <= layout::MMIO_START || entry.start >= layout::MMIO_END);
    }
}

#[test]
fn map_is_written_to_its_place() {
    let mut page = ZeroPage::new(None);
    page.set_memory_map(&e820::map(&[(0, 64 << 20)]));
    let bytes = page.bytes();
    assert_eq!(bytes[0x1e8], 3);
    let second = &bytes[0x2d0 + 20..0x2d0 + 40];
    assert_eq!(second[..8], 0x9_fc00_u64.to_le_bytes());
    assert_eq!(second[8..16], 0x400_u64.to_le_bytes());
    assert_eq!(second[16..], 2_u32.to_le_bytes());
}
