//! One stream in two halves: the guest's ([`Connection`], a pure state machine over packets, with its
//! `credit`) and the host's ([`Client`], a socket with its `outbox`). Called by `muxer`, which ties them.

mod client;
mod connection;
mod credit;
mod outbox;

pub(crate) use client::{Afterwards, Client, Received};
pub(crate) use connection::{Connection, Next, Verdict};
#[cfg(test)]
pub(crate) use outbox::Outbox;
