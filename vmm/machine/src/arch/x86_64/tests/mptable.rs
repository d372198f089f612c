//! The MP table, read as a kernel reads it.

use super::{checksum, mp_table};
use crate::arch::layout;

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()))
}

/// Entries of the configuration table by type.
fn entries(table: &[u8]) -> Vec<&[u8]> {
    let count = u16::from_le_bytes(table[34..36].try_into().unwrap());
    let mut rest = &table[44..];
    let mut found = Vec::new();
    for _ in 0..count {
        let length = if rest[0] == 0 { 20 } else { 8 };
        let (entry, after) = rest.split_at(length);
        found.push(entry);
        rest = after;
    }
    assert!(rest.is_empty());
    found
}

#[test]
fn pointer_leads_to_a_table_with_right_sums() {
    let bytes = mp_table(2);
    let (pointer, table) = bytes.split_at(16);
    assert_eq!(&pointer[..4], b"_MP_");
    assert_eq!(word(pointer, 4), layout::MP_TABLE + 16);
    assert_eq!(checksum(pointer), 0);
    assert_eq!(&table[..4], b"PCMP");
    assert_eq!(
        usize::from(u16::from_le_bytes([table[4], table[5]])),
        table.len()
    );
    assert_eq!(checksum(table), 0);
    assert_eq!(word(table, 36), layout::LAPIC);
}

#[test]
fn every_cpu_is_listed_and_the_first_boots() {
    for count in [1, 2, 32] {
        let bytes = mp_table(count);
        let entries = entries(&bytes[16..]);
        let cpus: Vec<_> = entries.iter().filter(|entry| entry[0] == 0).collect();
        assert_eq!(cpus.len(), usize::from(count));
        for (id, cpu) in (0..).zip(cpus) {
            assert_eq!(cpu[1], id);
            assert_eq!(cpu[3], if id == 0 { 3 } else { 1 });
        }
    }
}

#[test]
fn one_ioapic_has_all_inputs_and_an_id_of_its_own() {
    let bytes = mp_table(3);
    let entries = entries(&bytes[16..]);
    let chips: Vec<_> = entries.iter().filter(|entry| entry[0] == 2).collect();
    assert_eq!(chips.len(), 1);
    assert_eq!(chips[0][1], 3);
    assert_eq!(word(chips[0], 4), layout::IOAPIC);
    let pins: Vec<_> = entries
        .iter()
        .filter(|entry| entry[0] == 3)
        .map(|entry| (entry[5], entry[6], entry[7]))
        .collect();
    let expected: Vec<_> = (0..24).map(|pin| (pin, 3, pin)).collect();
    assert_eq!(pins, expected);
}

#[test]
fn table_for_the_most_cpus_fits_below_the_hole() {
    let end = layout::MP_TABLE + mp_table(32).len() as u64;
    assert!(end <= layout::BASE_MEMORY_END, "{end:#x}");
}
