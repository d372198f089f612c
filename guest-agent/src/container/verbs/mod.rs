//! What the host can ask of containers: each file adds verbs to the agent.

mod control;
mod create;
mod exec;
mod run;
mod share;
mod streams;

pub(crate) use run::{Listed, Progress};
