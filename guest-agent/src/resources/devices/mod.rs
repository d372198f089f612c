//! Which devices a container may open or make nodes of.
//!
//! `rules` reads `linux.resources.devices` and adds what every container may use; `program` compiles rules to eBPF;
//! `load` (the one unsafe room) gives the program to the kernel and attaches it to the container's cgroup.

mod load;
mod program;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use load::DevicePrograms;
pub(super) use program::{Verdict, compile};
pub(super) use rules::parse;
