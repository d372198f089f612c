//! What can be wrong with a network or a frame.

use std::io;

use thiserror::Error;

/// A text or bytes that are no interface's address.
#[derive(Debug, Error)]
#[error("{0:?} is no address of an interface: six hexadecimal bytes, not a group's and not zero")]
pub struct InvalidMac(pub(super) String);

/// There is nothing to unplug.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the slot is empty")]
pub struct NetSlotEmpty;

/// A network that cannot be plugged in.
#[derive(Debug, Error)]
pub enum PlugError {
    /// The slot has one.
    #[error("the slot has the network of {0}")]
    Occupied(super::MacAddress),
    /// No MTU.
    #[error("mtu {0} is not 68 to 65535")]
    Mtu(u16),
    /// A descriptor of another kind.
    #[error("the descriptor is no tap: {0}")]
    NoTap(io::Error),
    /// A tap of another make.
    #[error("the tap's flags are {0:#06x}, not those of IFF_TAP, IFF_NO_PI and IFF_VNET_HDR")]
    Flags(u16),
    /// The host refuses what the device needs.
    #[error("{what}: {source}")]
    Host {
        /// What was asked.
        what: &'static str,
        /// The host's answer.
        source: io::Error,
    },
}

impl PlugError {
    /// For `map_err` on a call of the host.
    pub(super) fn host(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { what, source }
    }
}

/// A frame of the driver that is not sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum FrameError {
    #[error("the chain has a writable part")]
    Writable,
    #[error("the chain is not in guest memory or has no end")]
    Memory,
    #[error("the frame's length is not 14 to 65553 bytes after a header of 12")]
    Length,
    #[error("an offload was not negotiated")]
    Offload,
    #[error("the checksum's place is outside of the frame")]
    Checksum,
    #[error("segments have no size, no checksum or headers beyond the frame")]
    Segments,
}
