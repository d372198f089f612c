//! The layout of KVM's statistics, made by hand.

use super::{DESCRIPTOR_BYTES, HEADER_BYTES, INSTRUCTIONS, Layout, find};

const NAME_BYTES: usize = 48;

fn header(words: [u32; 6]) -> [u8; HEADER_BYTES] {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    bytes.try_into().unwrap()
}

fn descriptor(name: &[u8], offset: u32) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes.extend(offset.to_ne_bytes());
    bytes.resize(DESCRIPTOR_BYTES, 0);
    bytes.extend(name);
    bytes.resize(DESCRIPTOR_BYTES + NAME_BYTES, 0);
    bytes
}

#[test]
fn header_says_where_descriptors_and_data_are() {
    let layout = Layout::parse(&header([0, 48, 3, 24, 72, 500])).unwrap();
    let expected = Layout {
        count: 3,
        stride: 64,
        descriptors: 72,
        data: 500,
    };
    assert_eq!(layout, expected);
}

#[test]
fn absurd_header_is_refused() {
    for words in [
        [0, u32::MAX, 3, 24, 72, 500],
        [0, 48, u32::MAX, 24, 72, 500],
    ] {
        assert!(Layout::parse(&header(words)).is_err());
    }
}

#[test]
fn counter_is_found_by_its_whole_name() {
    let block = [
        descriptor(b"insn_emulation_fail", 8),
        descriptor(b"insn_emulation", 16),
        descriptor(b"insn", 24),
    ]
    .concat();
    assert_eq!(
        find(&block, DESCRIPTOR_BYTES + NAME_BYTES, INSTRUCTIONS),
        Some(16)
    );
    let without = descriptor(b"exits", 8);
    assert_eq!(
        find(&without, DESCRIPTOR_BYTES + NAME_BYTES, INSTRUCTIONS),
        None
    );
}
