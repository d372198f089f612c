//! Loading real files into guest memory.

use std::fmt::Write;
use std::fs::File;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

use super::{BootError, BootImage, load};
use crate::arch::layout;
use crate::boot::Cmdline;

const MEMORY_BYTES: u64 = 64 << 20;
/// The kernel's one segment: longer than one read, not from the file's beginning.
const SEGMENT_OFFSET: usize = 0x100;
const SEGMENT_BYTES: usize = 300_000;
const SEGMENT_ADDRESS: u64 = 0x100_0000;

fn memory() -> GuestMemoryMmap {
    let size = usize::try_from(MEMORY_BYTES).unwrap();
    GuestMemoryMmap::from_ranges(&[(GuestAddress(0), size)]).unwrap()
}

fn file(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// A kernel whose bytes tell their place, with a trailer that no segment holds.
fn kernel() -> Vec<u8> {
    kernel_at(SEGMENT_OFFSET)
}

/// The same with its segment at another place in the file.
fn kernel_at(offset: usize) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(62_u16.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((SEGMENT_ADDRESS + 0x20).to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(64_u16.to_le_bytes());
    bytes.extend(56_u16.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0; 4]);
    let length = SEGMENT_BYTES as u64;
    for value in [
        offset as u64,
        0,
        SEGMENT_ADDRESS,
        length,
        length + 0x1000,
        0,
    ] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.resize(offset, 0xee);
    bytes.extend((0..SEGMENT_BYTES).map(|at| (at % 251).to_le_bytes()[0]));
    bytes.extend([0x77; 1000]);
    bytes
}

fn load_files(memory: &GuestMemoryMmap, kernel: &[u8], initramfs: &[u8]) -> Result<u64, BootError> {
    let (kernel_hash, initramfs_hash) = (sha256(kernel), sha256(initramfs));
    let (kernel, initramfs) = (file(kernel), file(initramfs));
    load_open(
        memory,
        (&kernel, &kernel_hash),
        (&initramfs, &initramfs_hash),
    )
}

fn load_open(
    memory: &GuestMemoryMmap,
    (kernel, kernel_hash): (&File, &str),
    (initramfs, initramfs_hash): (&File, &str),
) -> Result<u64, BootError> {
    let image = |file, sha256, name| BootImage { file, sha256, name };
    let mut cmdline = Cmdline::new();
    cmdline.word("quiet").unwrap();
    load(
        memory,
        image(kernel, kernel_hash, "vmlinux"),
        image(initramfs, initramfs_hash, "initramfs"),
        &cmdline,
    )
}

fn read<const N: usize>(memory: &GuestMemoryMmap, address: u64) -> [u8; N] {
    let mut bytes = [0; N];
    memory
        .read_slice(&mut bytes, GuestAddress(address))
        .unwrap();
    bytes
}

#[test]
fn kernel_initramfs_and_command_line_lie_where_the_zero_page_says() {
    let memory = memory();
    let kernel = kernel();
    let initramfs: Vec<u8> = (0..200_001_u32)
        .map(|at| (at % 241).to_le_bytes()[0])
        .collect();
    let entry = load_files(&memory, &kernel, &initramfs).unwrap();
    assert_eq!(entry, SEGMENT_ADDRESS + 0x20);
    let mut loaded = vec![0; SEGMENT_BYTES];
    memory
        .read_slice(&mut loaded, GuestAddress(SEGMENT_ADDRESS))
        .unwrap();
    assert_eq!(
        loaded,
        kernel[SEGMENT_OFFSET..SEGMENT_OFFSET + SEGMENT_BYTES]
    );

    let page = layout::ZERO_PAGE;
    let address = u64::from(u32::from_le_bytes(read(&memory, page + 0x218)));
    let length = u32::from_le_bytes(read(&memory, page + 0x21c));
    assert_eq!(length, 200_001);
    assert_eq!(address % 4096, 0);
    assert!(address + u64::from(length) <= MEMORY_BYTES);
    let mut loaded = vec![0; initramfs.len()];
    memory
        .read_slice(&mut loaded, GuestAddress(address))
        .unwrap();
    assert_eq!(loaded, initramfs);

    let line = u64::from(u32::from_le_bytes(read(&memory, page + 0x228)));
    assert_eq!(&read::<6>(&memory, line), b"quiet\0");
}

#[test]
fn empty_initramfs_is_none() {
    let memory = memory();
    load_files(&memory, &kernel(), b"").unwrap();
    assert_eq!(read::<8>(&memory, layout::ZERO_PAGE + 0x218), [0; 8]);
}

#[test]
fn changed_byte_anywhere_is_refused() {
    let good = kernel();
    let promised = sha256(&good);
    for at in [SEGMENT_OFFSET - 1, SEGMENT_OFFSET, 200_000, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let empty = file(b"");
        let result = load_open(
            &memory(),
            (&file(&changed), &promised),
            (&empty, &sha256(b"")),
        );
        match result {
            Err(BootError::Hash {
                name,
                expected,
                found,
            }) => {
                assert_eq!(name, "vmlinux");
                assert_eq!(expected, promised);
                assert_eq!(found, sha256(&changed));
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn truncated_kernel_is_refused_by_name() {
    let whole = kernel();
    for length in [0, 3, 64, 119, 200, SEGMENT_OFFSET + SEGMENT_BYTES - 1] {
        let error = load_files(&memory(), &whole[..length], b"").unwrap_err();
        assert!(
            error.to_string().starts_with("vmlinux: "),
            "{length}: {error}"
        );
    }
}

#[test]
fn text_file_is_no_kernel() {
    let error = load_files(&memory(), b"#!/bin/sh\n", b"").unwrap_err();
    assert_eq!(
        error.to_string(),
        "vmlinux: neither an x86_64 ELF kernel nor a bzImage"
    );
}

#[test]
fn kernel_beyond_guest_memory_is_refused() {
    let mut high = kernel();
    // Physical address and memory size of the one program header.
    high[64 + 24..64 + 32].copy_from_slice(&(MEMORY_BYTES - 0x1000).to_le_bytes());
    high[24..32].copy_from_slice(&(MEMORY_BYTES - 0x1000).to_le_bytes());
    let error = load_files(&memory(), &high, b"").unwrap_err();
    assert!(
        matches!(
            error,
            BootError::TooLarge {
                available: MEMORY_BYTES,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn initramfs_that_leaves_no_room_for_the_kernel_is_refused() {
    let initramfs = vec![0; usize::try_from(MEMORY_BYTES - SEGMENT_ADDRESS).unwrap()];
    let error = load_files(&memory(), &kernel(), &initramfs).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("initramfs: needs guest memory"),
        "{error}"
    );
}

/// A packed kernel's segments begin at page borders: their whole pages are the file's, the end of the last is copied.
#[test]
fn whole_pages_are_shared_with_the_file_until_they_are_written() {
    const INITRAMFS_BYTES: usize = 9 * 4096 + 5;
    let memory = memory();
    let kernel = kernel_at(4096);
    let initramfs = vec![0x5a; INITRAMFS_BYTES];
    let (kernel_file, initramfs_file) = (file(&kernel), file(&initramfs));
    load_open(
        &memory,
        (&kernel_file, &sha256(&kernel)),
        (&initramfs_file, &sha256(&initramfs)),
    )
    .unwrap();
    let mut loaded = vec![0; SEGMENT_BYTES + 4096];
    let start = GuestAddress(SEGMENT_ADDRESS);
    memory.read_slice(&mut loaded, start).unwrap();
    assert_eq!(
        loaded[..SEGMENT_BYTES],
        kernel[4096..4096 + SEGMENT_BYTES],
        "the segment"
    );
    assert_eq!(loaded[SEGMENT_BYTES..], [0; 4096], "what follows it");

    memory.write_slice(&[0xff; 5000], start).unwrap();
    let mut unchanged = vec![0; kernel.len()];
    kernel_file.read_exact_at(&mut unchanged, 0).unwrap();
    assert_eq!(unchanged, kernel);

    // 73 whole pages of the segment and 9 of the initramfs; the two that were written are private.
    let pages = file_pages(&memory);
    assert_eq!(pages, (73 - 2 + 9, 2));
}

/// Pages of files mapped into guest memory: how many are shared, how many are this process's own.
fn file_pages(memory: &GuestMemoryMmap) -> (u64, u64) {
    let region = memory.find_region(GuestAddress(0)).unwrap();
    let start = region.as_ptr().addr() as u64;
    let guest = start..start + region.len();
    // Touch every page, so that it is counted.
    let mut byte = [0];
    for address in (0..MEMORY_BYTES).step_by(4096) {
        memory.read_slice(&mut byte, GuestAddress(address)).unwrap();
    }
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut inside, mut resident, mut own) = (false, 0, 0);
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap(), words.next());
        if let Some((from, _)) = first.split_once('-') {
            let from = u64::from_str_radix(from, 16).unwrap();
            inside = guest.contains(&from) && line.contains('/');
        } else if inside {
            let kib = || second.unwrap().parse::<u64>().unwrap() / 4;
            match first {
                "Rss:" => resident += kib(),
                "Anonymous:" => own += kib(),
                _ => {}
            }
        }
    }
    (resident - own, own)
}
