//! A kernel without the holes of its file: the linker puts segments at multiples of 2 MiB, so a third of a vmlinux is
//! padding that every boot would read and hash.

use anyhow::{Context, Result, ensure};

const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
const LOAD: u32 = 1;
/// Segments begin at page borders, as their addresses do.
const ALIGNMENT: usize = 4096;

/// The ELF file `kernel` with its loadable segments one behind the other and nothing else.
pub(crate) fn pack(kernel: &[u8]) -> Result<Vec<u8>> {
    ensure!(
        kernel.starts_with(b"\x7fELF\x02\x01"),
        "not a 64-bit little-endian ELF file"
    );
    let headers = load_headers(kernel)?;
    let mut packed = kernel
        .get(..HEADER_BYTES)
        .context("ELF header is cut off")?
        .to_vec();
    set(&mut packed, 32, &(HEADER_BYTES as u64).to_le_bytes());
    // No section headers.
    set(&mut packed, 40, &[0; 8]);
    set(
        &mut packed,
        56,
        &u16::try_from(headers.len())?.to_le_bytes(),
    );
    set(&mut packed, 58, &[0; 6]);
    packed.resize(HEADER_BYTES + headers.len() * PROGRAM_HEADER_BYTES, 0);
    for (index, header) in headers.into_iter().enumerate() {
        let (offset, bytes) = (number(header, 8)?, number(header, 32)?);
        let segment = offset
            .checked_add(bytes)
            .and_then(|end| kernel.get(offset..end))
            .context("segment lies outside of the file")?;
        packed.resize(packed.len().next_multiple_of(ALIGNMENT), 0);
        let place = packed.len() as u64;
        let at = HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
        set(&mut packed, at, header);
        set(&mut packed, at + 8, &place.to_le_bytes());
        set(&mut packed, at + 48, &(ALIGNMENT as u64).to_le_bytes());
        packed.extend_from_slice(segment);
    }
    Ok(packed)
}

/// The program headers of the segments that are loaded.
fn load_headers(kernel: &[u8]) -> Result<Vec<&[u8]>> {
    let table = number(kernel, 32)?;
    let count = kernel.get(56..58).context("ELF header is cut off")?;
    let count = usize::from(u16::from_le_bytes([count[0], count[1]]));
    let bytes = kernel
        .get(table..)
        .and_then(|rest| rest.get(..count * PROGRAM_HEADER_BYTES))
        .context("program headers lie outside of the file")?;
    let is_load = |header: &&[u8]| header.starts_with(&LOAD.to_le_bytes());
    let headers: Vec<_> = bytes
        .chunks_exact(PROGRAM_HEADER_BYTES)
        .filter(is_load)
        .collect();
    ensure!(!headers.is_empty(), "no segment is loaded");
    Ok(headers)
}

fn number(bytes: &[u8], at: usize) -> Result<usize> {
    let field = bytes.get(at..at + 8).context("ELF header is cut off")?;
    Ok(usize::try_from(u64::from_le_bytes(field.try_into()?))?)
}

fn set(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::{HEADER_BYTES, PROGRAM_HEADER_BYTES, number, pack};

    /// Two loaded segments far apart, a note between them.
    fn sparse() -> Vec<u8> {
        let mut file = vec![0; 0x60_0000];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64;
        file[56] = 3;
        file[60] = 9; // section headers
        let segments = [
            (1_u32, 0x20_0000_u64, 0x5001_u64),
            (4, 0x100, 8),
            (1, 0x50_0000, 0x10),
        ];
        for (index, (kind, offset, bytes)) in segments.into_iter().enumerate() {
            let at = HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
            file[at..at + 4].copy_from_slice(&kind.to_le_bytes());
            for (field, value) in [
                (8, offset),
                (24, 0x100_0000 + offset),
                (32, bytes),
                (40, bytes),
            ] {
                file[at + field..at + field + 8].copy_from_slice(&value.to_le_bytes());
            }
            let (start, end) = (
                usize::try_from(offset).unwrap(),
                usize::try_from(offset + bytes).unwrap(),
            );
            file[start..end].fill(u8::try_from(index + 1).unwrap());
        }
        file
    }

    #[test]
    fn packed_kernel_has_the_same_segments_and_no_holes() {
        let packed = pack(&sparse()).unwrap();
        assert_eq!(packed.len(), 0x1000 + 0x6000 + 0x10);
        assert_eq!(packed[56], 2);
        assert_eq!(packed[60], 0);
        for (index, (address, bytes, content)) in [(0x120_0000, 0x5001, 1), (0x150_0000, 0x10, 3)]
            .into_iter()
            .enumerate()
        {
            let header = &packed[HEADER_BYTES + index * PROGRAM_HEADER_BYTES..];
            assert_eq!(number(header, 24).unwrap(), address);
            assert_eq!(number(header, 40).unwrap(), bytes);
            let offset = number(header, 8).unwrap();
            assert_eq!(offset % 4096, 0);
            assert!(
                packed[offset..offset + bytes]
                    .iter()
                    .all(|byte| *byte == content)
            );
        }
        assert_eq!(
            pack(&packed).unwrap(),
            packed,
            "packing it again changes nothing"
        );
    }

    #[test]
    fn file_that_is_no_kernel_is_refused() {
        let good = sparse();
        let mut outside = good.clone();
        outside[HEADER_BYTES + 8 + 6] = 1;
        for bad in [
            b"".as_slice(),
            b"#!/bin/sh",
            &good[..40],
            &good[..100],
            &outside,
        ] {
            assert!(pack(bad).is_err(), "{} bytes", bad.len());
        }
    }
}
