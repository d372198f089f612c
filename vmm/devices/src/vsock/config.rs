//! What a vsock device is asked to be ([`VsockConfig`]) and what of it is saved ([`VsockState`]).

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Context ids that a guest may have (5.10.4: 0 to 2, the largest and the one below it mean others).
pub const GUEST_CIDS: RangeInclusive<u32> = 3..=u32::MAX - 2;

/// The guest's address, its doorbells and the bounds of the host side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VsockConfig {
    /// Context id of the guest, one of [`GUEST_CIDS`].
    pub guest_cid: u32,
    /// Ports by which the guest says how far it is.
    pub doorbells: Doorbells,
    /// Bounds of what clients and guest can make the device hold.
    pub limits: Limits,
}

/// Host ports whose guest requests are news (and are refused like any other).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorbells {
    /// The guest's first process runs.
    pub started: u32,
    /// The guest's listeners are bound: held connections are offered now, later rings mean nothing.
    pub ready: u32,
}

/// A doorbell that was rung; each is reported at most once in a device's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doorbell {
    /// See [`Doorbells::started`].
    Started,
    /// See [`Doorbells::ready`].
    Ready,
}

/// Bounds of what clients and guest can make the device hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of every kind; a client above it is closed at once.
    pub streams: usize,
    /// Clients that have not written their `CONNECT` line yet; more wait in the listener's backlog.
    pub handshakes: usize,
    /// How long a client may take for its `CONNECT` line.
    pub handshake_time: Duration,
    /// Connections that wait for the ready doorbell; a client above it is closed at once.
    pub held: usize,
    /// The largest receive buffer that is promised to the guest for one stream, in bytes.
    pub stream_buffer: u32,
    /// Bytes that all promises together may reach before each new stream gets the smallest buffer
    /// ([`Limits::SMALLEST_BUFFER`]).
    pub total_buffer: usize,
}

impl Limits {
    /// What a stream is promised at least, in bytes.
    pub const SMALLEST_BUFFER: u32 = 8 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 2048,
            handshakes: 256,
            handshake_time: Duration::from_secs(30),
            held: 256,
            stream_buffer: 256 * 1024,
            total_buffer: 12 * 1024 * 1024,
        }
    }
}

/// What outlives save and restore. Streams do not: their clients are processes of another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VsockState {
    /// Context id that the guest knows itself by.
    pub guest_cid: u32,
    /// [`Doorbell::Started`] was rung.
    pub started: bool,
    /// [`Doorbell::Ready`] was rung: connections are offered to the guest at once.
    pub ready: bool,
    /// The guest had streams, so a restored guest has to be told that they are gone.
    pub streams_lost: bool,
}
