//! The guest agent as seen from the host: calls over the pod's vsock, and the standard streams of processes.
//!
//! Called by the pod's owner. The agent is hostile: a container that took over the guest's kernel speaks through it.
//! Sizes, ids and states are checked here; how long an answer may take is the caller's to say, because only the caller
//! knows the machine's progress.

mod answers;
mod client;
mod connect;
mod control;
mod error;
mod interface;
mod stats;
mod stream;
#[cfg(test)]
mod tests;
mod types;

pub use answers::{Created, Exit, GuestInfo, GuestProcess};
pub use client::AgentClient;
pub use error::{AgentError, Refusal};
pub use interface::{Interface, Neighbour, Route};
pub use stats::{CpuStats, HugetlbStats, InterfaceStats, IoStats, MemoryStats, PidsStats, Stats};
pub use stream::{StreamKind, open_stream};
pub use types::{NewContainer, NewProcess, ProcessId, Reach, Shared, Streams, TerminalSize};
