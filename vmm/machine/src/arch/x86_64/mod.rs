//! x86_64: where things lie in guest memory, and how a vCPU looks before its first instruction.
//! `kvm/` calls [`prepare_vcpu`], [`start_at`] and [`write_mp_table`]; `boot/` uses [`ZeroPage`] and [`layout`].

mod boot_params;
mod cpuid;
mod error;
pub mod layout;
mod mptable;
mod start;

pub use boot_params::{SetupHeader, ZeroPage, e820};
pub use error::ArchError;
pub use mptable::write_mp_table;
pub use start::{prepare_vcpu, start_at};
