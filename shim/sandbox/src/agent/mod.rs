//! The guest agent as seen from the host: calls over the pod's vsock, and the standard streams of processes.
//!
//! Called by the pod's owner. The agent is hostile: a container that took over the guest's kernel speaks through it.
//! Sizes, ids and states are checked here; how long an answer may take is the caller's to say, because only the caller
//! knows the machine's progress.

mod answers;
mod client;
mod connect;
mod error;
mod stream;
#[cfg(test)]
mod tests;

pub use answers::{Created, Exit, GuestInfo};
pub use client::{AgentClient, NewContainer, NewProcess, ProcessId, Reach, Streams};
pub use error::{AgentError, Refusal};
pub use stream::{StreamKind, open_stream};
