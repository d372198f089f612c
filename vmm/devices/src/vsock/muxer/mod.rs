//! All streams together: who is connected, who has something to say, who may say it next.
//!
//! - `table`: the streams and their bounds. - `host_side`: what clients do. - `guest_side`: packets in.
//! - `turns`: packets out, one stream after the other.
//!
//! Called by `device`; calls `host` and `stream`.

mod guest_side;
mod host_side;
mod table;
mod turns;

pub(crate) use table::Muxer;
