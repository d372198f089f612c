//! Tests of the vsock room: a driver in plain memory (`driver`), a guest behind it (`guest`), and what they
//! show.

#![allow(clippy::indexing_slicing, reason = "a test that is wrong should panic")]

mod connection;
mod driver;
mod guest;
mod hostile;
mod lifecycle;
mod load;
mod peer;
mod random;
mod saved;
