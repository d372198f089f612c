//! The header that the driver puts in front of a frame (virtio 1.2, 5.1.6.2): a pure check.

use virtio_bindings::virtio_net::{
    VIRTIO_NET_F_CSUM, VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_HOST_TSO6,
    VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_ECN, VIRTIO_NET_HDR_GSO_NONE,
    VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6,
};

use super::config::{HEADER_LEN, has};
use super::error::FrameError;

/// The header for the tap, made of the driver's: what means nothing is zero, what was not negotiated or points out of a
/// frame of `frame_len` bytes (without the header) is refused.
pub(super) fn checked(
    raw: [u8; HEADER_LEN],
    frame_len: usize,
    features: u64,
) -> Result<[u8; HEADER_LEN], FrameError> {
    let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1, _, _] = raw;
    let word = |low, high| usize::from(u16::from_le_bytes([low, high]));
    let (hdr_len, gso_size) = (word(h0, h1), word(g0, g1));
    let mut clean = [0; HEADER_LEN];
    // Other flags mean nothing in this direction and are ignored (5.1.6.2.2).
    let needs_csum = u32::from(flags) & VIRTIO_NET_HDR_F_NEEDS_CSUM != 0;
    if needs_csum {
        if !has(features, VIRTIO_NET_F_CSUM) {
            return Err(FrameError::Offload);
        }
        let (start, offset) = (word(s0, s1), word(o0, o1));
        if start + offset + 2 > frame_len {
            return Err(FrameError::Checksum);
        }
        let [needs, ..] = VIRTIO_NET_HDR_F_NEEDS_CSUM.to_le_bytes();
        clean = [needs, 0, 0, 0, 0, 0, s0, s1, o0, o1, 0, 0];
    }
    let kind = u32::from(gso_type) & !VIRTIO_NET_HDR_GSO_ECN;
    let ecn = u32::from(gso_type) & VIRTIO_NET_HDR_GSO_ECN != 0;
    let negotiated = match kind {
        VIRTIO_NET_HDR_GSO_NONE if ecn => false,
        VIRTIO_NET_HDR_GSO_NONE => return Ok(clean),
        VIRTIO_NET_HDR_GSO_TCPV4 => has(features, VIRTIO_NET_F_HOST_TSO4),
        VIRTIO_NET_HDR_GSO_TCPV6 => has(features, VIRTIO_NET_F_HOST_TSO6),
        _ => false,
    };
    if !negotiated || (ecn && !has(features, VIRTIO_NET_F_HOST_ECN)) {
        return Err(FrameError::Offload);
    }
    if !needs_csum || gso_size == 0 || hdr_len > frame_len {
        return Err(FrameError::Segments);
    }
    let [flags, ..] = clean;
    Ok([flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1, 0, 0])
}
