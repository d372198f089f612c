//! The ttrpc service: translates messages to the verbs of `container` and `guest`, and errors to statuses.

mod agent;
mod errors;
mod serve;

pub(crate) use agent::{AgentService, Timeline};
pub(crate) use serve::{serve_calls, serve_streams};
