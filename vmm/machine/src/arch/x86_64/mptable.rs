//! The MP table: how a kernel without ACPI learns of its CPUs and of the IO-APIC
//! (Intel MultiProcessor Specification 1.4, chapter 4).

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::error::ArchError;
use super::layout;

const FLOATING_BYTES: u32 = 16;
const HEADER_BYTES: usize = 44;
const APIC_VERSION: u8 = 0x14;
const CPU_ENABLED: u8 = 1;
const CPU_BOOT: u8 = 2;

const ENTRY_CPU: u8 = 0;
const ENTRY_BUS: u8 = 1;
const ENTRY_IOAPIC: u8 = 2;
const ENTRY_IO_INTERRUPT: u8 = 3;
const ENTRY_LOCAL_INTERRUPT: u8 = 4;

const INTERRUPT_VECTORED: u8 = 0;
const INTERRUPT_NMI: u8 = 1;
const INTERRUPT_EXTINT: u8 = 3;
const ALL_CPUS: u8 = 0xff;

/// Write the table for `count` CPUs to where kernels look for it.
///
/// # Errors
/// Guest memory is too small.
pub fn write_mp_table(memory: &GuestMemoryMmap, count: u8) -> Result<(), ArchError> {
    let table = mp_table(count);
    memory
        .write_slice(&table, GuestAddress(layout::MP_TABLE))
        .map_err(ArchError::memory("mp table", layout::MP_TABLE))
}

/// Floating pointer and configuration table, as they lie at [`layout::MP_TABLE`].
fn mp_table(count: u8) -> Vec<u8> {
    let ioapic = count;
    let mut entries: Vec<Vec<u8>> = (0..count).map(cpu).collect();
    let mut isa = vec![ENTRY_BUS, 0];
    isa.extend_from_slice(b"ISA   ");
    entries.push(isa);
    let mut chip = vec![ENTRY_IOAPIC, ioapic, 0x11, 1];
    chip.extend_from_slice(&low_word(layout::IOAPIC));
    entries.push(chip);
    for gsi in 0..layout::GSI_COUNT {
        let pin = gsi.to_le_bytes()[0];
        entries.push(vec![
            ENTRY_IO_INTERRUPT,
            INTERRUPT_VECTORED,
            0,
            0,
            0,
            pin,
            ioapic,
            pin,
        ]);
    }
    for (kind, cpu, pin) in [(INTERRUPT_EXTINT, 0, 0), (INTERRUPT_NMI, ALL_CPUS, 1)] {
        entries.push(vec![ENTRY_LOCAL_INTERRUPT, kind, 0, 0, 0, 0, cpu, pin]);
    }
    let mut table = floating_pointer();
    table.extend_from_slice(&configuration(&entries));
    table
}

fn floating_pointer() -> Vec<u8> {
    let mut bytes = b"_MP_".to_vec();
    bytes.extend_from_slice(&low_word(layout::MP_TABLE + u64::from(FLOATING_BYTES)));
    // Length in 16 bytes, specification 1.4, checksum, no default configuration.
    bytes.extend_from_slice(&[1, 4, 0, 0, 0, 0, 0, 0]);
    bytes[10] = checksum(&bytes);
    bytes
}

fn configuration(entries: &[Vec<u8>]) -> Vec<u8> {
    let body: Vec<u8> = entries.concat();
    let length = u16::try_from(HEADER_BYTES + body.len()).unwrap_or(u16::MAX);
    let entry_count = u16::try_from(entries.len()).unwrap_or(u16::MAX);
    let mut table = b"PCMP".to_vec();
    table.extend_from_slice(&length.to_le_bytes());
    table.extend_from_slice(&[4, 0]);
    table.extend_from_slice(b"HUSK    MICROVM     ");
    table.extend_from_slice(&[0; 6]);
    table.extend_from_slice(&entry_count.to_le_bytes());
    table.extend_from_slice(&low_word(layout::LAPIC));
    table.extend_from_slice(&[0; 4]);
    table.extend_from_slice(&body);
    table[7] = checksum(&table);
    table
}

fn cpu(id: u8) -> Vec<u8> {
    let boot = if id == 0 { CPU_BOOT } else { 0 };
    let mut entry = vec![ENTRY_CPU, id, APIC_VERSION, CPU_ENABLED | boot];
    // Signature and features: kernels ask the CPU itself.
    entry.extend_from_slice(&[0; 16]);
    entry
}

/// What makes the sum of all bytes zero.
fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte))
        .wrapping_neg()
}

/// An address below 4 GiB.
fn low_word(address: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = address.to_le_bytes();
    [a, b, c, d]
}

#[cfg(test)]
#[path = "tests/mptable.rs"]
mod tests;
