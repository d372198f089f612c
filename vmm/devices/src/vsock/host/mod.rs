//! The host side's descriptors: the socket calls on guest memory (`socket`), the `CONNECT` line
//! (`handshake`), and one epoll set with listener, deadline and wake-up (`poller`). Called by `muxer`.

pub(crate) mod handshake;
pub(crate) mod poller;
pub(crate) mod socket;
