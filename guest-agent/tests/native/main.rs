//! The agent without a virtual machine: PID 1 of private namespaces on this host, disks on loop devices, UNIX sockets
//! in place of vsock. What it does with containers is the same code as in a guest. Needs root.

#![allow(
    clippy::unwrap_used,
    reason = "what is not as expected here fails the test"
)]

mod container;
mod exec;
mod harness;
mod pause;
mod pods;
mod privileges;
mod streams;
mod terminal;
mod user;
