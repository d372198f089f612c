//! Tests of the engine.

mod door;
mod log;
mod papers;
mod signal;
mod time;
mod wire;
