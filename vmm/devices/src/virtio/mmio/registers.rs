//! Offsets and bits of the register file of virtio-mmio version 2 (virtio 1.2, 4.2.2).

/// "virt", little-endian.
pub(super) const MAGIC: u32 = 0x7472_6976;
/// Version of the register file; 1 would be the legacy one.
pub(super) const VERSION: u32 = 2;
/// "HUSK", little-endian; drivers match any vendor.
pub(super) const VENDOR: u32 = 0x4b53_5548;

/// Start of the device's configuration space.
pub(super) const CONFIG_SPACE: u64 = 0x100;
/// Size of a slot's window in guest-physical memory.
pub const SLOT_SIZE: u64 = 0x1000;

/// A register by its offset; what is not listed reads 0 and ignores writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    Magic,
    Version,
    DeviceId,
    VendorId,
    DeviceFeatures,
    DeviceFeaturesSel,
    DriverFeatures,
    DriverFeaturesSel,
    QueueSel,
    QueueNumMax,
    QueueNum,
    QueueReady,
    QueueNotify,
    InterruptStatus,
    InterruptAck,
    Status,
    QueueDesc(Half),
    QueueDriver(Half),
    QueueDevice(Half),
    Shm,
    ConfigGeneration,
}

/// Which half of a 64-bit address a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Low,
    High,
}

impl Half {
    /// `address` with this half replaced.
    pub(super) fn replace(self, address: u64, value: u32) -> u64 {
        match self {
            Self::Low => (address & !0xffff_ffff) | u64::from(value),
            Self::High => (address & 0xffff_ffff) | (u64::from(value) << 32),
        }
    }
}

impl Register {
    /// The register at `offset`, if an access of `len` bytes is one that 4.2.2.2 allows.
    pub(super) fn at(offset: u64, len: usize) -> Option<Self> {
        if len != 4 {
            return None;
        }
        Some(match offset {
            0x000 => Self::Magic,
            0x004 => Self::Version,
            0x008 => Self::DeviceId,
            0x00c => Self::VendorId,
            0x010 => Self::DeviceFeatures,
            0x014 => Self::DeviceFeaturesSel,
            0x020 => Self::DriverFeatures,
            0x024 => Self::DriverFeaturesSel,
            0x030 => Self::QueueSel,
            0x034 => Self::QueueNumMax,
            0x038 => Self::QueueNum,
            0x044 => Self::QueueReady,
            0x050 => Self::QueueNotify,
            0x060 => Self::InterruptStatus,
            0x064 => Self::InterruptAck,
            0x070 => Self::Status,
            0x080 => Self::QueueDesc(Half::Low),
            0x084 => Self::QueueDesc(Half::High),
            0x090 => Self::QueueDriver(Half::Low),
            0x094 => Self::QueueDriver(Half::High),
            0x0a0 => Self::QueueDevice(Half::Low),
            0x0a4 => Self::QueueDevice(Half::High),
            0x0b0 | 0x0b4 | 0x0b8 | 0x0bc => Self::Shm,
            0x0fc => Self::ConfigGeneration,
            _ => return None,
        })
    }
}

/// Device status bits (virtio 1.2, 2.1).
pub(super) mod status {
    pub(in crate::virtio) const ACKNOWLEDGE: u32 = 1;
    pub(in crate::virtio) const DRIVER: u32 = 2;
    pub(in crate::virtio) const DRIVER_OK: u32 = 4;
    pub(in crate::virtio) const FEATURES_OK: u32 = 8;
    pub(in crate::virtio) const NEEDS_RESET: u32 = 64;
    pub(in crate::virtio) const FAILED: u32 = 128;
    /// What a driver may set.
    pub(in crate::virtio) const DRIVER_BITS: u32 =
        ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED;
}

/// Interrupt status bits (virtio 1.2, 4.2.2).
pub(super) mod interrupt {
    pub(in crate::virtio) const USED_RING: u32 = 1;
    pub(in crate::virtio) const CONFIG_CHANGE: u32 = 2;
    pub(in crate::virtio) const ALL: u32 = USED_RING | CONFIG_CHANGE;
}
