//! The guest's physical address map.

/// The most memory of a machine, in MiB (1 TiB).
pub const MAX_MEMORY_MIB: u32 = 1 << 20;

/// End of the memory below the device window; memory beyond continues at [`HIGH_MEMORY_START`].
pub const LOW_MEMORY_END: u64 = 0xc000_0000;
/// First address of the memory above the device window.
pub const HIGH_MEMORY_START: u64 = 0x1_0000_0000;
/// First address for virtio-mmio devices.
pub const MMIO_START: u64 = 0xd000_0000;
/// End of the addresses for virtio-mmio devices.
pub const MMIO_END: u64 = 0xd010_0000;
/// Bytes of one virtio-mmio device.
pub const MMIO_SLOT_BYTES: u64 = 0x1000;
/// The IO-APIC's registers.
pub const IOAPIC: u64 = 0xfec0_0000;
/// The local APICs' registers.
pub const LAPIC: u64 = 0xfee0_0000;
/// One page for VT-x without unrestricted guests.
pub const IDENTITY_MAP: u64 = 0xfffb_c000;
/// Three pages for the same.
pub const TSS: u64 = 0xfffb_d000;

/// Inputs of the IO-APIC.
pub const GSI_COUNT: u32 = 24;
/// The input of COM1.
pub const SERIAL_GSI: u32 = 4;
/// The first input free for virtio-mmio devices (0-4 are timer, keyboard, cascade, serial; 8 the clock).
pub const FIRST_DEVICE_GSI: u32 = 5;

/// Global descriptor table of the first vCPU's start.
pub const GDT: u64 = 0x500;
/// Boot parameters ("zero page").
pub const ZERO_PAGE: u64 = 0x7000;
/// Six pages of page tables for the first vCPU's start.
pub const PAGE_TABLES: u64 = 0x9000;
/// The kernel's command line.
pub const CMDLINE: u64 = 0x2_0000;
/// MP table; the kernel looks for it in the last KiB below 640 KiB.
pub const MP_TABLE: u64 = 0x9_fc00;
/// End of the memory below the classic hole.
pub const BASE_MEMORY_END: u64 = 0xa_0000;
/// First address above it; kernels lie there.
pub const KERNEL_START: u64 = 0x10_0000;
/// The highest address that a kernel takes an initramfs at (boot protocol, `initrd_addr_max`).
pub const INITRAMFS_END: u64 = 0x8000_0000;
