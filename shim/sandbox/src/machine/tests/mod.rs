//! Tests of the machine's room: frames, progress, the control client against a socket, launch and exit of real processes.

mod client;
mod frames;
mod launch;
mod probe;
mod progress;
