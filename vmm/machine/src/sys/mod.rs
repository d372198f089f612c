//! The unsafe room of the machine: the KVM calls that `kvm-ioctls` leaves unsafe or does not have, one atomic exchange in
//! guest memory, and where guest memory's pages come from. Called by `arch/`, `boot/`, `interp/` and `kvm/`; calls nothing
//! of this crate.

mod error;
mod exchange;
mod forget;
mod ioctl;
mod lay;
mod populate;
mod stats;
mod xsave;

pub use error::SysError;
pub(crate) use exchange::{compare_exchange_16, halves, pair};
pub(crate) use forget::forget;
pub(crate) use ioctl::{InternalError, internal_error, kvm_from, set_memory, unblock_only};
pub(crate) use lay::lay;
pub(crate) use populate::populate;
pub(crate) use stats::InstructionCounter;
pub(crate) use xsave::XsaveArea;
