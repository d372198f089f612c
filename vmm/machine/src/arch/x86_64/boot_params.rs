//! The zero page: what a boot loader tells a Linux kernel (Documentation/arch/x86/zero-page.rst, boot.rst).

use super::layout;

const E820_COUNT: usize = 0x1e8;
const SETUP_HEADER: usize = 0x1f1;
const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const LOADER_TYPE: usize = 0x210;
const RAMDISK_IMAGE: usize = 0x218;
const RAMDISK_SIZE: usize = 0x21c;
const CMDLINE_POINTER: usize = 0x228;
const KERNEL_ALIGNMENT: usize = 0x230;
const CMDLINE_SIZE: usize = 0x238;
const E820_TABLE: usize = 0x2d0;
const E820_ENTRY_BYTES: usize = 20;
/// Entries that fit into the zero page.
const E820_MAX: usize = 128;

/// A loader without an id of its own.
const LOADER_UNDEFINED: u8 = 0xff;

const RAM: u32 = 1;
const RESERVED: u32 = 2;

/// The longest setup header of a kernel image: from 0x1f1 up to where the zero page continues.
const SETUP_HEADER_MAX: usize = 0x290 - SETUP_HEADER;

/// The setup header of a bzImage, or none for a kernel that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupHeader(pub Vec<u8>);

/// One page of boot parameters under construction.
#[derive(Clone, Debug)]
pub struct ZeroPage {
    bytes: [u8; 4096],
}

impl ZeroPage {
    /// Boot parameters with `header` or, for a vmlinux, with what a header would say.
    #[must_use]
    pub fn new(header: Option<&SetupHeader>) -> Self {
        let mut page = Self { bytes: [0; 4096] };
        match header {
            Some(SetupHeader(header)) => {
                let length = header.len().min(SETUP_HEADER_MAX);
                page.put(SETUP_HEADER, &header[..length]);
            }
            None => {
                page.put(BOOT_FLAG, &0xaa55_u16.to_le_bytes());
                page.put(MAGIC, b"HdrS");
                page.put(KERNEL_ALIGNMENT, &0x20_0000_u32.to_le_bytes());
            }
        }
        page.put(LOADER_TYPE, &[LOADER_UNDEFINED]);
        page
    }

    /// Where the command line lies and how long it is without its zero.
    pub fn set_cmdline(&mut self, address: u32, length: u32) {
        self.put(CMDLINE_POINTER, &address.to_le_bytes());
        self.put(CMDLINE_SIZE, &length.to_le_bytes());
    }

    /// Where the initramfs lies.
    pub fn set_initramfs(&mut self, address: u32, length: u32) {
        self.put(RAMDISK_IMAGE, &address.to_le_bytes());
        self.put(RAMDISK_SIZE, &length.to_le_bytes());
    }

    /// The memory map; what does not fit is left out.
    pub fn set_memory_map(&mut self, entries: &[e820::Entry]) {
        let entries = &entries[..entries.len().min(E820_MAX)];
        self.put(
            E820_COUNT,
            &[u8::try_from(entries.len()).unwrap_or(u8::MAX)],
        );
        for (at, entry) in entries.iter().enumerate() {
            let place = E820_TABLE + at * E820_ENTRY_BYTES;
            self.put(place, &entry.start.to_le_bytes());
            self.put(place + 8, &entry.length.to_le_bytes());
            self.put(place + 16, &entry.kind.to_le_bytes());
        }
    }

    /// The page.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 4096] {
        &self.bytes
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// The memory map that firmware would give.
pub mod e820 {
    use super::{RAM, RESERVED, layout};

    /// One range.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Entry {
        /// First address.
        pub start: u64,
        /// Bytes.
        pub length: u64,
        /// 1 is memory, 2 is reserved.
        pub kind: u32,
    }

    /// The map of a machine whose memory is `ranges` (start, length), the first of them at 0.
    #[must_use]
    pub fn map(ranges: &[(u64, u64)]) -> Vec<Entry> {
        let mut entries = vec![
            Entry {
                start: 0,
                length: layout::MP_TABLE,
                kind: RAM,
            },
            Entry {
                start: layout::MP_TABLE,
                length: layout::BASE_MEMORY_END - layout::MP_TABLE,
                kind: RESERVED,
            },
        ];
        for (start, length) in ranges {
            let first = (*start).max(layout::KERNEL_START);
            entries.push(Entry {
                start: first,
                length: (start + length).saturating_sub(first),
                kind: RAM,
            });
        }
        entries
    }
}

#[cfg(test)]
#[path = "tests/boot_params.rs"]
mod tests;
