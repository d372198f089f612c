//! The control connections: the launch socket and those that are accepted on the control socket, all alike.
//!
//! [`Server`] lives in the I/O thread: it takes requests apart and hands each [`Order`] to the owner of the machine.
//! The owner answers through its [`Handle`]. Neither waits for the other, nor for a client.

mod connection;
mod letterbox;
mod order;
mod server;

pub use letterbox::Handle;
pub use order::{ConnectionId, Order};
pub use server::Server;
