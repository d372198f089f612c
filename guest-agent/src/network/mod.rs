//! Interfaces of the guest: an unused one is in the agent's network namespace, a used one in a container's.
//!
//! - `interface`: what is asked for, checked. - `configure`: found by its address, moved, named, set up.
//! - `netlink`: messages to the kernel's routing and back.
//!
//! Called by `service` and `helper`; calls the kernel only.

mod configure;
mod interface;
mod netlink;
#[cfg(test)]
mod tests;

pub(crate) use configure::{configure, loopback_up, loopback_up_in};
pub(crate) use interface::Interface;
