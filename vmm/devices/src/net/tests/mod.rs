//! The net device, driven from plain memory; the network is a pair of sockets that keep frames apart.

mod header;
mod hostile;
mod peer;
mod plug;
mod receive;
mod tap;
mod transmit;
