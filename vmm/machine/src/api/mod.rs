//! The door of the machine: what its launcher says to it and hears from it. `shim/sandbox` uses only this room.

pub mod config;
pub mod control;
pub mod wire;

pub use config::MachineConfig;
pub use control::{Command, Event, ExitReason, ExitReport, Message, Metrics, Reply, Request};
