//! The host: whether it can run machines, how fast it interprets, and what to do when it cannot.
//!
//! `check` asks everything in the order in which a person fixes things; `kvm`, `kernel`, `tools` and `files` each look at
//! one thing; `report` is what comes out. Called by the sandbox and the doors. Calls `machine` for the probe.

mod check;
mod files;
mod kernel;
mod kvm;
mod report;
#[cfg(test)]
mod tests;
mod tools;

pub use check::check;
pub use report::{Artefact, Check, CheckInputs, Report, Status};
