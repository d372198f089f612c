//! The instructions that an interpreting KVM has no emulation for: [`Completer`] does what they do.
//! `execute` and `xstate` are free of KVM; `walk` reads the guest's page tables.
//! `testing` opens them to the fuzz target.

mod complete;
mod descriptor;
mod exception;
mod execute;
#[cfg(feature = "testing")]
pub mod testing;
mod walk;
mod xstate;

pub use complete::Completer;

#[cfg(test)]
#[path = "tests/guest.rs"]
mod guest;
