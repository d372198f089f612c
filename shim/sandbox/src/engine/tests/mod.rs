//! Tests of the engine.

mod door;
mod fixture;
mod log;
mod papers;
mod signal;
mod time;
mod wire;
