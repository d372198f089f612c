//! Everything about KVM without hardware virtualization: finding out, measuring, boot words, and the instructions
//! that such a KVM leaves to us. On hardware none of it runs. Called by `kvm/` and `process/`; calls `arch/`, `sys/`.

mod error;
mod host;
mod insn;
mod probe;

pub use error::InterpError;
pub use host::add_boot_words;
pub use insn::Completer;
#[cfg(feature = "testing")]
pub use insn::testing;
pub use probe::probe;
