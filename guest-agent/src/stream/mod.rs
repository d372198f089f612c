//! Connections of the host: listeners, and the standard streams that flow over them.
//!
//! `listen` accepts, `conn` is one connection, `output` and `input` move bytes between a pipe and a connection, `terminal` between
//! a pseudo-terminal and connections; of several connections for one stream `newest` picks the newest.
//! Called by `main` and `service`; knows no containers.

mod conn;
mod input;
mod listen;
mod newest;
mod open;
mod output;
mod terminal;
#[cfg(test)]
mod testing;

pub(crate) use conn::Conn;
pub(crate) use input::Input;
pub(crate) use listen::{HOST_CID, Listener};
pub(crate) use open::{answer, read_open};
pub(crate) use output::Output;
pub(crate) use terminal::Terminal;
