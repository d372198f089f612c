//! Why a vsock device could not be made.

use std::io;

use thiserror::Error;

/// Why a vsock device could not be made.
#[derive(Debug, Error)]
pub enum VsockError {
    /// CIDs below 3 and the two highest have meanings of their own (virtio 1.2, 5.10.4).
    #[error("guest cid {0} is reserved")]
    ReservedCid(u32),
    /// One port cannot say two things.
    #[error("doorbell port {0} is used twice")]
    SameDoorbell(u32),
    /// A descriptor of the host side could not be made.
    #[error("vsock host side: {what}")]
    Host {
        /// Which one.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}
