//! Features, configuration space, addresses.
//!
//! There is no control queue: the guest's addresses are not filtered here (the tap's peer decides what arrives), and
//! offloads are what was negotiated for as long as the driver runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_net::{
    VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_TSO4,
    VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6,
    VIRTIO_NET_F_MAC, VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_MTU, VIRTIO_NET_F_STATUS,
    VIRTIO_NET_S_LINK_UP,
};
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};

use super::error::InvalidMac;

/// Receive and transmit. Linux fills the receive ring with buffers when the interface is opened, each for a thousand
/// instructions, and makes a buffer as long as its share of the largest frame: a short ring loses nothing.
pub(super) const QUEUE_SIZES: [u16; 2] = [128, 128];

/// Index of the receive queue.
pub(super) const RX: u16 = 0;
/// Index of the transmit queue.
pub(super) const TX: u16 = 1;

/// In front of every frame (5.1.6): ten bytes and the number of buffers.
pub(super) const HEADER_LEN: usize = 12;

/// The shortest frame: an Ethernet header.
pub(super) const MIN_FRAME: usize = 14;

/// The longest frame with its header: 64 KiB of IP, an Ethernet header and a VLAN tag.
pub(super) const MAX_FRAME: usize = HEADER_LEN + 14 + 4 + 65_535;

/// MTUs of a network (5.1.4.1: at least 68).
pub(super) const MTU: std::ops::RangeInclusive<u16> = 68..=u16::MAX;

/// Every feature of a slot. Not among them: the control queue, UDP segmentation (taps of older hosts lack it).
pub(super) const FEATURES: u64 = 1 << VIRTIO_F_VERSION_1
    | 1 << VIRTIO_RING_F_INDIRECT_DESC
    | 1 << VIRTIO_RING_F_EVENT_IDX
    | 1 << VIRTIO_NET_F_MAC
    | 1 << VIRTIO_NET_F_STATUS
    | 1 << VIRTIO_NET_F_MTU
    | 1 << VIRTIO_NET_F_MRG_RXBUF
    | 1 << VIRTIO_NET_F_CSUM
    | 1 << VIRTIO_NET_F_HOST_TSO4
    | 1 << VIRTIO_NET_F_HOST_TSO6
    | 1 << VIRTIO_NET_F_HOST_ECN
    | 1 << VIRTIO_NET_F_GUEST_CSUM
    | 1 << VIRTIO_NET_F_GUEST_TSO4
    | 1 << VIRTIO_NET_F_GUEST_TSO6
    | 1 << VIRTIO_NET_F_GUEST_ECN;

/// Whether a feature is among those that device and driver agreed on.
pub(super) fn has(features: u64, bit: u32) -> bool {
    features & (1 << bit) != 0
}

/// Address of an interface: six bytes, not a group's and not zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// # Errors
    /// The address is a group's, or zero.
    pub fn new(bytes: [u8; 6]) -> Result<Self, InvalidMac> {
        let address = Self(bytes);
        let [first, ..] = bytes;
        if bytes == [0; 6] || first & 1 != 0 {
            return Err(InvalidMac(address.to_string()));
        }
        Ok(address)
    }

    /// The bytes, first on the wire first.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        // An escaped and bounded echo: it may come from anywhere.
        let refused = || InvalidMac(text.escape_debug().take(64).collect());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.is_ascii());
            let part = part.filter(|part| part.bytes().all(|digit| digit.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(part.ok_or_else(refused)?, 16).map_err(|_| refused())?;
        }
        if parts.next().is_some() {
            return Err(refused());
        }
        Self::new(bytes)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a network brings into its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Address of the guest's interface, by which the guest finds it.
    pub mac: MacAddress,
    /// Longest packet without its Ethernet header.
    pub mtu: u16,
}

/// What the driver takes unfinished from the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Frames whose checksum is not complete.
    pub checksum: bool,
    /// TCP over IPv4 in segments up to 64 KiB.
    pub tso4: bool,
    /// TCP over IPv6 in segments up to 64 KiB.
    pub tso6: bool,
    /// Such segments with ECN.
    pub ecn: bool,
}

impl Offloads {
    /// All that a slot offers.
    pub(super) const ALL: Self = Self {
        checksum: true,
        tso4: true,
        tso6: true,
        ecn: true,
    };

    /// What was negotiated; segments without checksums make no sense (5.1.3.1).
    pub(super) fn negotiated(features: u64) -> Self {
        let checksum = has(features, VIRTIO_NET_F_GUEST_CSUM);
        let tso4 = checksum && has(features, VIRTIO_NET_F_GUEST_TSO4);
        let tso6 = checksum && has(features, VIRTIO_NET_F_GUEST_TSO6);
        Self {
            checksum,
            tso4,
            tso6,
            ecn: (tso4 || tso6) && has(features, VIRTIO_NET_F_GUEST_ECN),
        }
    }
}

/// The saved form of a slot. The network is a resource: it is plugged into the new slot, and a configuration change
/// tells the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetState {
    /// Address that the guest could read; zero: nothing was plugged in.
    pub mac: [u8; 6],
    /// MTU that the guest could read.
    pub mtu: u16,
}

/// The configuration space (5.1.4) up to the MTU. Zero: nothing is plugged in; the guest's kernel waits with the
/// interface until the MTU is another (kernel patch 0015).
pub(super) fn space(nic: Option<Nic>, link_up: bool) -> [u8; 12] {
    let Some(nic) = nic else {
        return [0; 12];
    };
    let [a, b, c, d, e, f] = nic.mac.bytes();
    let [up, _, _, _] = VIRTIO_NET_S_LINK_UP.to_le_bytes();
    let status = if link_up { up } else { 0 };
    let [low, high] = nic.mtu.to_le_bytes();
    // max_virtqueue_pairs in between: not offered
    [a, b, c, d, e, f, status, 0, 0, 0, low, high]
}
