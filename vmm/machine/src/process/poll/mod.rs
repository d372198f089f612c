//! Waiting for descriptors: epoll with named sources. Used by `control` and `worker`; `room` holds the unsafe calls.

mod room;
mod set;

pub(super) use set::{Interest, Poll, Ready, Source};
