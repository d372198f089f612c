//! What can go wrong between this process and KVM.

use thiserror::Error;

use crate::arch::layout;
use crate::sys::SysError;

/// KVM refused, or lacks something.
#[derive(Debug, Error)]
pub enum VmError {
    /// A call of the host's kernel failed.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// The descriptor is no `/dev/kvm`, or one of another age.
    #[error("kvm api version is {0}, not 12")]
    ApiVersion(i32),
    /// A capability that the machine needs.
    #[error("this host's kvm lacks {0}")]
    MissingCapability(&'static str),
    /// Less than the kernel needs or more than fits.
    #[error("guest memory of {0} MiB is not between 64 and {max}", max = layout::MAX_MEMORY_MIB)]
    MemorySize(u32),
    /// Guest memory cannot be mapped.
    #[error("guest memory of {mib} MiB cannot be mapped: {cause}")]
    MemoryMap {
        /// Size asked for.
        mib: u32,
        /// What the kernel answered.
        cause: String,
    },
    /// No vCPU, or more than the MP table or KVM take.
    #[error("{asked} vcpus are not between 1 and {max}")]
    VcpuCount {
        /// Asked for.
        asked: u8,
        /// What this host takes.
        max: usize,
    },
    /// A vCPU cannot get its first state.
    #[error(transparent)]
    Arch(#[from] crate::arch::ArchError),
    /// Support for an interpreting KVM cannot start.
    #[error(transparent)]
    Interp(#[from] crate::interp::InterpError),
    /// A boot file was refused.
    #[error(transparent)]
    Boot(#[from] crate::boot::BootError),
    /// An interrupt line to nowhere.
    #[error("io-apic has no input {0}")]
    NoSuchGsi(u32),
    /// Two slots claim the same guest addresses.
    #[error("mmio range at {0:#x} overlaps another or is misplaced")]
    MmioRange(u64),
}
