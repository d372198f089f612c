//! The setup header of a bzImage, checked (Documentation/arch/x86/boot.rst).

use super::elf::Malformed;
use crate::arch::SetupHeader;

const SETUP_SECTORS: usize = 0x1f1;
const BOOT_FLAG: usize = 0x1fe;
const BOOT_FLAG_VALUE: u16 = 0xaa55;
/// The byte at 0x201 says how far behind 0x202 the header reaches.
const HEADER_LENGTH: usize = 0x201;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
/// With a 64-bit entry announced in `xloadflags`.
const LEAST_VERSION: u16 = 0x20c;
const LOAD_FLAGS: usize = 0x211;
const LOADED_HIGH: u8 = 1;
const RELOCATABLE: usize = 0x234;
const XLOAD_FLAGS: usize = 0x236;
const KERNEL_64: u16 = 1;
const PREFERRED_ADDRESS: usize = 0x258;
const INIT_SIZE: usize = 0x260;
const SECTOR_BYTES: u64 = 512;
/// The 64-bit entry lies that far into the protected-mode part.
const ENTRY_64: u64 = 0x200;
/// Where a kernel that cannot be moved expects itself.
const DEFAULT_ADDRESS: u64 = 0x10_0000;

/// Where the parts of a bzImage go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BzImage {
    /// Goes into the zero page.
    pub(super) header: SetupHeader,
    /// Where in the file the protected-mode part begins; it reaches to the file's end.
    pub(super) offset: u64,
    /// Its place in guest memory.
    pub(super) address: u64,
    /// Physical address of the first instruction.
    pub(super) entry: u64,
    /// End of the memory that the kernel needs until it manages memory itself.
    pub(super) end: u64,
}

/// Whether `head` begins a bzImage.
pub(super) fn is_bzimage(head: &[u8]) -> bool {
    head.get(MAGIC..MAGIC + 4) == Some(b"HdrS") && u16_at(head, BOOT_FLAG) == Ok(BOOT_FLAG_VALUE)
}

/// Read the header of a file of `size` bytes that begins with `head`.
pub(super) fn parse(head: &[u8], size: u64) -> Result<BzImage, Malformed> {
    let version = u16_at(head, VERSION)?;
    if version < LEAST_VERSION {
        return Err(("bzimage boot protocol is older than 2.12", version.into()));
    }
    let load_flags = byte(head, LOAD_FLAGS)?;
    if load_flags & LOADED_HIGH == 0 {
        return Err(("bzimage is not loaded high", load_flags.into()));
    }
    let xload_flags = u16_at(head, XLOAD_FLAGS)?;
    if xload_flags & KERNEL_64 == 0 {
        return Err(("bzimage has no 64-bit entry", xload_flags.into()));
    }
    let sectors = match byte(head, SETUP_SECTORS)? {
        0 => 4,
        sectors => u64::from(sectors),
    };
    let offset = (sectors + 1) * SECTOR_BYTES;
    if offset + ENTRY_64 >= size {
        return Err(("bzimage ends before its 64-bit entry, size", size));
    }
    let address = address(head)?;
    let init_size = u64::from(u32::from_le_bytes(field(head, INIT_SIZE)?));
    let needed = init_size.max(size - offset);
    let header_end = MAGIC + usize::from(byte(head, HEADER_LENGTH)?);
    let header = head
        .get(SETUP_SECTORS..header_end)
        .ok_or(("bzimage setup header is cut off, end", header_end as u64))?;
    Ok(BzImage {
        header: SetupHeader(header.to_vec()),
        offset,
        address,
        entry: address + ENTRY_64,
        end: address + needed,
    })
}

fn address(head: &[u8]) -> Result<u64, Malformed> {
    if byte(head, RELOCATABLE)? == 0 {
        return Ok(DEFAULT_ADDRESS);
    }
    let preferred = u64::from_le_bytes(field(head, PREFERRED_ADDRESS)?);
    if !(DEFAULT_ADDRESS..1 << 32).contains(&preferred) {
        return Err(("bzimage prefers an impossible address", preferred));
    }
    Ok(preferred)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    bytes
        .get(at..at + N)
        .and_then(|field| field.try_into().ok())
        .ok_or(("bzimage setup header is cut off at", at as u64))
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, Malformed> {
    field::<1>(bytes, at).map(|[byte]| byte)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    field(bytes, at).map(u16::from_le_bytes)
}

#[cfg(test)]
#[path = "tests/bzimage.rs"]
mod tests;
