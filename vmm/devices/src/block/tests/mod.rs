//! Tests of the block room, by a driver in plain memory and real files.

mod attach;
mod disk;
mod guest;
mod hostile;
mod random;
mod request;
mod turns;
