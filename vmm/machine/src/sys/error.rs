//! A call of the host's kernel that failed.

use std::io;

use thiserror::Error;

/// Which call, and what the kernel answered.
#[derive(Debug, Error)]
pub enum SysError {
    /// An ioctl of KVM.
    #[error("{call}: {source}")]
    Kvm {
        /// The ioctl.
        call: &'static str,
        /// What the kernel answered.
        source: kvm_ioctls::Error,
    },
    /// Another call.
    #[error("{call}: {source}")]
    Host {
        /// What was asked.
        call: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The statistics of a vCPU are not what the kernel's documentation says.
    #[error("kvm statistics: {0}")]
    Stats(&'static str),
}

impl SysError {
    /// For `map_err` on a call of `kvm-ioctls`.
    pub(crate) fn kvm(call: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> Self {
        move |source| Self::Kvm { call, source }
    }

    /// For `map_err` on another call.
    pub(crate) fn host(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { call, source }
    }
}
