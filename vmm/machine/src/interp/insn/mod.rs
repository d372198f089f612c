//! The instructions that an interpreting KVM has no emulation for: [`Completer`] does what they do.
//! `execute` and `xstate` are free of KVM; `walk` reads the guest's page tables.

mod complete;
mod exception;
mod execute;
mod walk;
mod xstate;

pub use complete::Completer;

#[cfg(test)]
#[path = "tests/guest.rs"]
mod guest;
