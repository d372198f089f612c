//! What host and guest agent say to each other: the generated messages and ttrpc service of
//! `proto/agent.proto`, the vsock ports, and the framing of stream connections.

#![forbid(unsafe_code)]

pub mod failure;
pub mod frame;
pub mod ports;

#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

pub use generated::{agent, agent_ttrpc};

/// Version of the protocol; both sides refuse a peer with another one.
pub const PROTOCOL_VERSION: u32 = 1;
