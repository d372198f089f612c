//! A vCPU's extended state (x87, SSE, AVX ...): the calls that `kvm-ioctls` leaves unsafe.

use kvm_bindings::kvm_xsave;
use kvm_ioctls::{Cap, Kvm, VcpuFd};
use vmm_sys_util::errno;
use vmm_sys_util::ioctl::{ioctl_with_mut_ptr, ioctl_with_ptr};
use vmm_sys_util::{ioctl_ior_nr, ioctl_iow_nr};

use super::error::SysError;

ioctl_ior_nr!(KVM_GET_XSAVE2, kvm_bindings::KVMIO, 0xcf, kvm_xsave);
ioctl_iow_nr!(KVM_SET_XSAVE, kvm_bindings::KVMIO, 0xa5, kvm_xsave);

/// Extended state as KVM gives and takes it: the standard (not compacted) XSAVE format, as long as this host's.
#[derive(Clone, Debug)]
pub(crate) struct XsaveArea {
    /// At least as long as KVM reads and writes: see [`Self::new`].
    words: Vec<u64>,
}

impl XsaveArea {
    /// Room for what this host's KVM reads and writes.
    #[must_use]
    pub(crate) fn new(kvm: &Kvm) -> Self {
        let asked = usize::try_from(kvm.check_extension_int(Cap::Xsave2)).unwrap_or(0);
        let bytes = asked.max(size_of::<kvm_xsave>());
        Self {
            words: vec![0; bytes.div_ceil(size_of::<u64>())],
        }
    }

    /// The state as 64-bit words.
    #[must_use]
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The state as 64-bit words, to be changed.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// Read the state of `vcpu`.
    ///
    /// # Errors
    /// KVM refuses.
    pub(crate) fn load(&mut self, vcpu: &VcpuFd) -> Result<(), SysError> {
        let area = self.words.as_mut_ptr();
        // SAFETY: KVM writes no more than KVM_CAP_XSAVE2 said (4096 bytes without it), and `words` was allocated
        // with that size in `new`; its length never changes.
        let result = unsafe { ioctl_with_mut_ptr(vcpu, KVM_GET_XSAVE2(), area) };
        check(result, "KVM_GET_XSAVE2")
    }

    /// Set the state of `vcpu`.
    ///
    /// # Errors
    /// KVM refuses the state.
    pub(crate) fn store(&self, vcpu: &VcpuFd) -> Result<(), SysError> {
        let area = self.words.as_ptr();
        // SAFETY: KVM reads no more than KVM_CAP_XSAVE2 said (4096 bytes without it), and `words` was allocated
        // with that size in `new`; its length never changes.
        let result = unsafe { ioctl_with_ptr(vcpu, KVM_SET_XSAVE(), area) };
        check(result, "KVM_SET_XSAVE")
    }
}

fn check(result: i32, call: &'static str) -> Result<(), SysError> {
    if result == 0 {
        return Ok(());
    }
    Err(SysError::Kvm {
        call,
        source: errno::Error::last(),
    })
}
