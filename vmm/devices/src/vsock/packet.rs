//! The header of a vsock packet (virtio 1.2, 5.10.6), in host order.

/// Bytes of a header in guest memory.
pub(crate) const HEADER_LEN: usize = 44;

/// The host's context id.
pub(crate) const HOST_CID: u64 = 2;

/// `VIRTIO_VSOCK_TYPE_STREAM`.
pub(crate) const TYPE_STREAM: u16 = 1;

/// `VIRTIO_VSOCK_SHUTDOWN_F_RECEIVE`: the sender of the packet receives no more.
pub(crate) const SHUT_RECEIVE: u32 = 1;
/// `VIRTIO_VSOCK_SHUTDOWN_F_SEND`: the sender of the packet sends no more.
pub(crate) const SHUT_SEND: u32 = 2;
/// Neither direction is used any more.
pub(crate) const SHUT_BOTH: u32 = SHUT_RECEIVE | SHUT_SEND;

/// Operations (virtio 1.2, 5.10.6).
pub(crate) mod op {
    pub(crate) const REQUEST: u16 = 1;
    pub(crate) const RESPONSE: u16 = 2;
    pub(crate) const RST: u16 = 3;
    pub(crate) const SHUTDOWN: u16 = 4;
    pub(crate) const RW: u16 = 5;
    pub(crate) const CREDIT_UPDATE: u16 = 6;
    pub(crate) const CREDIT_REQUEST: u16 = 7;
}

/// One header; `kind` is the field `type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) src_cid: u64,
    pub(crate) dst_cid: u64,
    pub(crate) src_port: u32,
    pub(crate) dst_port: u32,
    pub(crate) len: u32,
    pub(crate) kind: u16,
    pub(crate) op: u16,
    pub(crate) flags: u32,
    pub(crate) buf_alloc: u32,
    pub(crate) fwd_cnt: u32,
}

impl Header {
    /// Every bit pattern is a header; whether it means something is decided by who knows the streams.
    pub(crate) fn parse(bytes: &[u8; HEADER_LEN]) -> Self {
        let rest = &mut bytes.as_slice();
        Self {
            src_cid: u64::from_le_bytes(take(rest)),
            dst_cid: u64::from_le_bytes(take(rest)),
            src_port: u32::from_le_bytes(take(rest)),
            dst_port: u32::from_le_bytes(take(rest)),
            len: u32::from_le_bytes(take(rest)),
            kind: u16::from_le_bytes(take(rest)),
            op: u16::from_le_bytes(take(rest)),
            flags: u32::from_le_bytes(take(rest)),
            buf_alloc: u32::from_le_bytes(take(rest)),
            fwd_cnt: u32::from_le_bytes(take(rest)),
        }
    }

    /// The bytes that [`Self::parse`] reads.
    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let fields = self
            .src_cid
            .to_le_bytes()
            .into_iter()
            .chain(self.dst_cid.to_le_bytes())
            .chain(self.src_port.to_le_bytes())
            .chain(self.dst_port.to_le_bytes())
            .chain(self.len.to_le_bytes())
            .chain(self.kind.to_le_bytes())
            .chain(self.op.to_le_bytes())
            .chain(self.flags.to_le_bytes())
            .chain(self.buf_alloc.to_le_bytes())
            .chain(self.fwd_cnt.to_le_bytes());
        let mut bytes = [0; HEADER_LEN];
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }

    /// The reset that answers this packet; a reset itself is never answered.
    pub(crate) fn reset_reply(&self) -> Option<Self> {
        (self.op != op::RST).then_some(Self {
            src_cid: self.dst_cid,
            dst_cid: self.src_cid,
            src_port: self.dst_port,
            dst_port: self.src_port,
            kind: self.kind,
            op: op::RST,
            ..Self::default()
        })
    }
}

/// The next `N` bytes; the caller's array is as long as all its fields together.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk::<N>() {
        Some((head, tail)) => {
            *rest = tail;
            *head
        }
        None => [0; N],
    }
}
