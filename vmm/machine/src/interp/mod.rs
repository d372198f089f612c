//! Everything about KVM without hardware virtualization: finding out, measuring, boot words, and the instructions
//! that such a KVM leaves to us. On hardware none of it runs. Called by `kvm/` and `process/`; calls `arch/`.

mod complete;
mod error;
mod exception;
mod execute;
mod host;
mod room;
mod walk;
mod xstate;

pub use complete::Completer;
pub use error::InterpError;
pub use host::add_boot_words;
