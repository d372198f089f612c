//! The host: whether it can run machines, how fast it interprets, and what to do when it cannot.
//!
//! Called by the sandbox (`husk check`, and the measured speed before each launch).

mod report;

pub use report::{Artefact, Check, CheckInputs, Report, Status};
