//! Fill guest memory: kernel, initramfs, command line, zero page.

use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

use super::bzimage;
use super::cmdline::Cmdline;
use super::elf;
use super::error::BootError;
use super::image::BootImage;
use super::reader::HashingReader;
use crate::arch::{SetupHeader, ZeroPage, e820, layout};

const PAGE_BYTES: u64 = 4096;

/// A kernel in guest memory.
struct Loaded {
    entry: u64,
    end: u64,
    header: Option<SetupHeader>,
}

/// Load a machine's boot files and say where its first instruction is. Both files are read once, and refused
/// if what was read is not what the configuration promised.
///
/// # Errors
/// A file is unreadable, malformed, too large for the machine, or has another hash.
pub fn load(
    memory: &GuestMemoryMmap,
    kernel: BootImage<'_>,
    initramfs: BootImage<'_>,
    cmdline: &Cmdline,
) -> Result<u64, BootError> {
    let loaded = load_kernel(memory, kernel)?;
    let mut page = ZeroPage::new(loaded.header.as_ref());
    if let Some((address, length)) = load_initramfs(memory, initramfs, loaded.end)? {
        page.set_initramfs(address, length);
    }
    let mut line = cmdline.as_str().as_bytes().to_vec();
    page.set_cmdline(low(layout::CMDLINE), low(line.len() as u64));
    line.push(0);
    write(memory, layout::CMDLINE, &line)?;
    let ranges: Vec<_> = memory
        .iter()
        .map(|region| (region.start_addr().0, region.len()))
        .collect();
    page.set_memory_map(&e820::map(&ranges));
    write(memory, layout::ZERO_PAGE, page.bytes())?;
    Ok(loaded.entry)
}

fn load_kernel(memory: &GuestMemoryMmap, image: BootImage<'_>) -> Result<Loaded, BootError> {
    let mut reader = HashingReader::new(image)?;
    let malformed = |(what, value)| BootError::Malformed {
        name: image.name.to_owned(),
        what,
        value,
    };
    let (size, limit) = (reader.size(), low_memory_end(memory));
    let loaded = if elf::is_elf(reader.head()) {
        let parsed = elf::parse(reader.head(), size, layout::KERNEL_START).map_err(malformed)?;
        check_fits(image, parsed.end, limit)?;
        for part in &parsed.segments {
            reader.put(memory, part.offset, part.file_bytes, part.address)?;
        }
        Loaded {
            entry: parsed.entry,
            end: parsed.end,
            header: None,
        }
    } else if bzimage::is_bzimage(reader.head()) {
        let parsed = bzimage::parse(reader.head(), size).map_err(malformed)?;
        check_fits(image, parsed.end, limit)?;
        reader.put(memory, parsed.offset, size - parsed.offset, parsed.address)?;
        Loaded {
            entry: parsed.entry,
            end: parsed.end,
            header: Some(parsed.header),
        }
    } else {
        return Err(BootError::UnknownFormat {
            name: image.name.to_owned(),
        });
    };
    reader.finish()?;
    Ok(loaded)
}

/// Put the initramfs as high as the kernel can take it; its address and length, `None` if it is empty.
fn load_initramfs(
    memory: &GuestMemoryMmap,
    image: BootImage<'_>,
    kernel_end: u64,
) -> Result<Option<(u32, u32)>, BootError> {
    let mut reader = HashingReader::new(image)?;
    let size = reader.size();
    let end = low_memory_end(memory).min(layout::INITRAMFS_END);
    let start = end
        .checked_sub(size)
        .map(|start| start & !(PAGE_BYTES - 1))
        .filter(|start| *start >= kernel_end)
        .ok_or_else(|| BootError::TooLarge {
            name: image.name.to_owned(),
            needed: kernel_end.saturating_add(size),
            available: end,
        })?;
    reader.put(memory, 0, size, start)?;
    reader.finish()?;
    Ok((size > 0).then(|| (low(start), low(size))))
}

fn check_fits(image: BootImage<'_>, needed: u64, available: u64) -> Result<(), BootError> {
    if needed <= available {
        return Ok(());
    }
    Err(BootError::TooLarge {
        name: image.name.to_owned(),
        needed,
        available,
    })
}

/// End of the memory that begins at 0.
fn low_memory_end(memory: &GuestMemoryMmap) -> u64 {
    memory
        .find_region(GuestAddress(0))
        .map_or(0, |region| region.len())
}

/// A number that is below 4 GiB because all of [`layout`]'s low memory is.
fn low(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn write(memory: &GuestMemoryMmap, address: u64, bytes: &[u8]) -> Result<(), BootError> {
    memory
        .write_slice(bytes, GuestAddress(address))
        .map_err(|source| BootError::GuestMemory { address, source })
}

#[cfg(test)]
#[path = "tests/load.rs"]
mod tests;
