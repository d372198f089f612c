//! KVM calls that `kvm-ioctls` has no safe function for.

use std::fs::File;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use vm_memory::{GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};
use vmm_sys_util::errno;
use vmm_sys_util::ioctl::{ioctl, ioctl_with_ref};
use vmm_sys_util::{ioctl_io_nr, ioctl_iow_nr};

use super::error::SysError;

const KVMIO: u32 = kvm_bindings::KVMIO;
ioctl_io_nr!(KVM_GET_STATS_FD, KVMIO, 0xce);
ioctl_iow_nr!(KVM_SET_SIGNAL_MASK, KVMIO, 0x8b, u32);

/// Data of a `KVM_EXIT_INTERNAL_ERROR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InternalError {
    /// 1: the instruction at RIP could not be emulated.
    pub(crate) suberror: u32,
    /// What the kernel adds; its meaning depends on `suberror`.
    pub(crate) data: [u64; 4],
}

/// Take over an open `/dev/kvm`; the caller checks that it is one by asking its version.
pub(crate) fn kvm_from(fd: OwnedFd) -> Kvm {
    // SAFETY: the descriptor comes out of an `OwnedFd`, so it is open and `Kvm` becomes its only owner.
    unsafe { Kvm::from_raw_fd(fd.into_raw_fd()) }
}

/// Give all of `memory` to `vm`. The caller keeps a clone of `memory` as long as a vCPU of `vm` can run.
pub(crate) fn set_memory(vm: &VmFd, memory: &GuestMemoryMmap) -> Result<(), SysError> {
    for (slot, mapping) in (0..).zip(memory.iter()) {
        let region = kvm_userspace_memory_region {
            slot,
            flags: 0,
            guest_phys_addr: mapping.start_addr().0,
            memory_size: mapping.len(),
            userspace_addr: mapping.as_ptr().addr() as u64,
        };
        // SAFETY: the range is a whole mapping of `memory`, which outlives the vCPUs (the contract above),
        // and slots do not overlap because the regions of a `GuestMemoryMmap` do not.
        let result = unsafe { vm.set_user_memory_region(region) };
        result.map_err(SysError::kvm("KVM_SET_USER_MEMORY_REGION"))?;
    }
    Ok(())
}

/// The file with the binary statistics of a vCPU.
pub(crate) fn stats_file(vcpu: &VcpuFd) -> Result<File, SysError> {
    // SAFETY: the call takes no argument and touches no memory of ours.
    let fd: RawFd = unsafe { ioctl(vcpu, KVM_GET_STATS_FD()) };
    if fd < 0 {
        return Err(last_error("KVM_GET_STATS_FD"));
    }
    // SAFETY: the kernel made `fd` for this call, nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Signals blocked while the vCPU runs: all but `signal`.
pub(crate) fn unblock_only(vcpu: &VcpuFd, signal: i32) -> Result<(), SysError> {
    /// `struct kvm_signal_mask` with the 8 bytes of the kernel's signal set behind it.
    #[repr(C)]
    struct SignalMask {
        len: u32,
        set: [u8; 8],
    }
    let bit = u32::try_from(signal - 1)
        .ok()
        .and_then(|at| 1_u64.checked_shl(at));
    let mask = SignalMask {
        len: 8,
        set: (!bit.unwrap_or(0)).to_ne_bytes(),
    };
    // SAFETY: the kernel reads `len` and then 8 bytes behind it, both inside of `mask`.
    let result = unsafe { ioctl_with_ref(vcpu, KVM_SET_SIGNAL_MASK(), &mask) };
    if result == 0 {
        Ok(())
    } else {
        Err(last_error("KVM_SET_SIGNAL_MASK"))
    }
}

/// What the kernel says about the internal error that just ended `KVM_RUN`.
pub(crate) fn internal_error(vcpu: &mut VcpuFd) -> InternalError {
    let run = vcpu.get_kvm_run();
    // SAFETY: plain integers that are valid for any bytes; the caller saw KVM_EXIT_INTERNAL_ERROR, so they mean this.
    let internal = unsafe { run.__bindgen_anon_1.internal };
    let mut data = [0; 4];
    data.copy_from_slice(&internal.data[..4]);
    InternalError {
        suberror: internal.suberror,
        data,
    }
}

fn last_error(call: &'static str) -> SysError {
    SysError::Kvm {
        call,
        source: errno::Error::last(),
    }
}
