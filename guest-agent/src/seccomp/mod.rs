//! Seccomp: from a profile of the OCI specification to one classic BPF program, and into the kernel.
//!
//! `profile` reads and checks a profile, `rules` knows what its rules mean and which comes first, `syscalls` the numbers
//! behind names. `compile` makes the program out of them: `tree` over numbers, `arguments` below it, on the instructions
//! of `program`. All of these are pure. `load` hands a program to the kernel.
//!
//! Called by `container` (compiles) and `helper` (loads); calls nobody. `docs/seccomp.md` tells how it is proven.

mod arguments;
mod compile;
mod load;
mod profile;
mod program;
mod rules;
mod syscalls;
mod tree;

pub(crate) use compile::compile;
pub(crate) use load::load;
pub(crate) use profile::{Profile, ProfileError};
pub(crate) use program::Program;

#[cfg(test)]
mod tests;
