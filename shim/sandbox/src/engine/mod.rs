//! Containers as a person handles them: who there is, what became of each, and the door of a running one's owner.
//!
//! `papers` is what lies in a pod's directory for everyone to read, `list` finds pods by it, `remove` unmakes them.
//! `owner` is the owner's side of its socket, `client` the other side, `wire` what goes over it. `log` keeps
//! what a detached container writes. Called by the doors; calls [`crate::pod`].

mod client;
mod error;
mod list;
mod log;
mod owner;
mod papers;
mod remove;
mod signal;
#[cfg(test)]
mod tests;
mod wire;

pub use client::{Client, Ending, Executed};
pub use error::EngineError;
pub use list::{Found, Listing, State, find, list};
pub use log::{Entry, Instant, LogReader, LogSource, LogWatch, LogWriter, Sink};
pub use owner::{Door, Served, open_door};
pub use papers::{About, Papers, Phase, Status};
pub use remove::{await_owner, remove};
pub use signal::signal_number;
pub use wire::{ExecCall, Exited, Usage, Window};
