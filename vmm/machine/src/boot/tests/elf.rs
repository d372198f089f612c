//! ELF headers that a kernel has, and those that nobody should have.

use proptest::prelude::{ProptestConfig, any, proptest};

use super::{ElfKernel, Malformed, Segment, parse};

const SIZE: u64 = 0x4000;
const LOWEST: u64 = 0x10_0000;

/// An ELF file's first bytes with one header per `(type, offset, address, file bytes, memory bytes)`.
fn elf(entry: u64, headers: &[(u32, u64, u64, u64, u64)]) -> Vec<u8> {
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(16, 0);
    head.extend(2_u16.to_le_bytes());
    head.extend(62_u16.to_le_bytes());
    head.extend(1_u32.to_le_bytes());
    head.extend(entry.to_le_bytes());
    head.extend(64_u64.to_le_bytes());
    head.extend([0; 12]);
    head.extend(64_u16.to_le_bytes());
    head.extend(56_u16.to_le_bytes());
    head.extend(u16::try_from(headers.len()).unwrap().to_le_bytes());
    head.extend([0; 6]);
    for (kind, offset, address, file_bytes, memory_bytes) in headers {
        head.extend(kind.to_le_bytes());
        head.extend([0; 4]);
        for value in [
            offset,
            &0xffff_ffff_8100_0000,
            address,
            file_bytes,
            memory_bytes,
            &0,
        ] {
            head.extend(value.to_le_bytes());
        }
    }
    head
}

fn refusal(head: &[u8]) -> Malformed {
    parse(head, SIZE, LOWEST).unwrap_err()
}

#[test]
fn segments_come_in_the_order_of_the_file() {
    let head = elf(
        0x10_0010,
        &[
            (1, 0x2000, 0x20_0000, 0x100, 0x900),
            (4, 0, 0, 0, 0),
            (1, 0x1000, 0x10_0000, 0x100, 0x100),
        ],
    );
    let part = |offset, address, file_bytes, memory_bytes| Segment {
        offset,
        file_bytes,
        address,
        memory_bytes,
    };
    let expected = ElfKernel {
        entry: 0x10_0010,
        segments: vec![
            part(0x1000, 0x10_0000, 0x100, 0x100),
            part(0x2000, 0x20_0000, 0x100, 0x900),
        ],
        end: 0x20_0900,
    };
    assert_eq!(parse(&head, SIZE, LOWEST), Ok(expected));
}

#[test]
fn header_cut_off_anywhere_is_refused() {
    let head = elf(0x10_0000, &[(1, 0x1000, 0x10_0000, 0x100, 0x100)]);
    for length in 4..head.len() {
        assert!(parse(&head[..length], SIZE, LOWEST).is_err(), "{length}");
    }
}

#[test]
fn other_class_type_or_machine_is_refused() {
    let good = elf(0x10_0000, &[(1, 0x1000, 0x10_0000, 0x100, 0x100)]);
    for (at, value, word) in [
        (4, 1, "class"),
        (5, 2, "class"),
        (16, 1, "type"),
        (18, 183, "machine"),
    ] {
        let mut head = good.clone();
        head[at] = value;
        assert!(refusal(&head).0.contains(word), "{at}");
    }
}

#[test]
fn segment_behind_the_file_is_refused() {
    let head = elf(0x10_0000, &[(1, SIZE - 0xff, 0x10_0000, 0x100, 0x100)]);
    assert_eq!(
        refusal(&head),
        ("elf segment ends behind the file, offset", SIZE - 0xff)
    );
    let head = elf(0x10_0000, &[(1, u64::MAX, 0x10_0000, 0x100, 0x100)]);
    assert_eq!(
        refusal(&head),
        ("elf segment ends behind the file, offset", u64::MAX)
    );
}

#[test]
fn segment_below_the_first_mebibyte_is_refused() {
    let head = elf(0x7000, &[(1, 0x1000, 0x7000, 0x100, 0x100)]);
    assert_eq!(refusal(&head), ("elf segment lies too low", 0x7000));
}

#[test]
fn segment_that_wraps_is_refused() {
    let head = elf(0x10_0000, &[(1, 0x1000, u64::MAX - 1, 0x2, 0x100)]);
    assert_eq!(refusal(&head), ("elf segment wraps at", u64::MAX - 1));
}

#[test]
fn segment_longer_in_file_than_in_memory_is_refused() {
    let head = elf(0x10_0000, &[(1, 0x1000, 0x10_0000, 0x100, 0xff)]);
    let expected = ("elf segment is longer in the file than in memory", 0x100);
    assert_eq!(refusal(&head), expected);
}

#[test]
fn segments_that_overlap_in_the_file_are_refused() {
    let headers = [
        (1, 0x1000, 0x10_0000, 0x200, 0x200),
        (1, 0x11ff, 0x20_0000, 0x10, 0x10),
    ];
    let expected = ("elf segments overlap in the file at", 0x11ff);
    assert_eq!(refusal(&elf(0x10_0000, &headers)), expected);
}

#[test]
fn entry_outside_of_every_segment_is_refused() {
    let head = elf(0x10_0100, &[(1, 0x1000, 0x10_0000, 0x100, 0x200)]);
    assert_eq!(refusal(&head), ("elf entry lies in no segment", 0x10_0100));
    assert_eq!(
        refusal(&elf(0x10_0000, &[])),
        ("elf entry lies in no segment", 0x10_0000)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_damage_is_refused_or_stays_within_file_and_memory(
        at in 4_usize..120,
        value in any::<u64>(),
        size in 0_u64..SIZE,
    ) {
        let mut head = elf(0x10_0000, &[(1, 0x1000, 0x10_0000, 0x100, 0x100)]);
        for (byte, new) in head.iter_mut().skip(at).zip(value.to_le_bytes()) {
            *byte = new;
        }
        if let Ok(kernel) = parse(&head, size, LOWEST) {
            for part in kernel.segments {
                assert!(part.offset + part.file_bytes <= size);
                assert!(part.address >= LOWEST);
                assert!(part.address + part.memory_bytes <= kernel.end);
            }
        }
    }
}
