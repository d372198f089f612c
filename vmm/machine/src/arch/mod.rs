//! What depends on the architecture. One room an architecture; the names below are what `interp/`, `boot/` and
//! `kvm/` use.

mod x86_64;

pub use x86_64::{
    ArchError, SetupHeader, ZeroPage, e820, layout, prepare_vcpu, start_at, write_mp_table,
};
