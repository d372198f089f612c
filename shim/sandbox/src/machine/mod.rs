//! The machine of a pod: `husk-vmm` started, told what to be, spoken to and watched.
//!
//! Called by the pod's owner. Calls nothing of the other rooms; talks to the VMM through `husk_machine::api` only.
//! The VMM is confined because a guest may take it over: what it says is checked like any other input.

mod client;
mod error;
mod exit;
mod frames;
mod launch;
mod log;
mod probe;
mod progress;
mod spec;
#[cfg(test)]
mod tests;

pub use client::{ControlClient, MachineNews};
pub use error::MachineError;
pub use exit::{ExitWatch, Killer, ProcessEnd};
pub use husk_machine::api::config::{HostKvm, KvmKind};
pub(crate) use launch::send_with_fds;
pub use launch::{LaunchedVmm, Vmm, process_start_ticks};
pub use log::VmmLog;
pub use probe::host_kvm;
pub use progress::{GuestLimit, Stalled, within};
pub use spec::{BootArtefact, Drive, MachineSpec};
