//! Descriptor chains to checked pieces of guest memory: the one place that walks what the driver wrote.

use virtio_queue::DescriptorChain;
use vm_memory::{GuestAddress, GuestMemory, GuestMemoryMmap, Permissions, VolatileSlice};

use super::packet::{HEADER_LEN, Header};

/// Descriptors of one chain that are looked at; Linux uses at most 18.
const MAX_DESCRIPTORS: usize = 128;

/// A run of guest memory in pieces, in the order of their descriptors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slices<'m> {
    pieces: Vec<VolatileSlice<'m>>,
    len: usize,
    descriptors: u16,
}

impl<'m> Slices<'m> {
    /// All of a chain, when each descriptor goes in the direction of `access` and lies in memory.
    fn of_chain(
        mem: &'m GuestMemoryMmap,
        chain: DescriptorChain<&'m GuestMemoryMmap>,
        access: Permissions,
    ) -> Option<Self> {
        let mut all = Self::default();
        let writable = access == Permissions::Write;
        for (index, descriptor) in chain.enumerate() {
            if index == MAX_DESCRIPTORS || descriptor.is_write_only() != writable {
                return None;
            }
            all.push_range(mem, descriptor.addr(), descriptor.len(), access)?;
            all.descriptors = all.descriptors.saturating_add(1);
        }
        Some(all)
    }

    fn push_range(
        &mut self,
        mem: &'m GuestMemoryMmap,
        address: GuestAddress,
        len: u32,
        access: Permissions,
    ) -> Option<()> {
        let len = usize::try_from(len).ok()?;
        for piece in mem.get_slices(address, len, access).ok()? {
            let piece = piece.ok()?;
            self.len = self.len.checked_add(piece.len())?;
            self.pieces.push(piece);
        }
        Some(())
    }

    /// A range of guest memory.
    #[cfg(test)]
    pub(crate) fn of_range(
        mem: &'m GuestMemoryMmap,
        address: GuestAddress,
        len: u32,
    ) -> Option<Self> {
        let mut all = Self::default();
        all.push_range(mem, address, len, Permissions::Read)?;
        Some(all)
    }

    /// Bytes in all pieces.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The pieces in order.
    pub(crate) fn pieces(&self) -> &[VolatileSlice<'m>] {
        &self.pieces
    }

    /// The first `count` bytes (or all) and the rest.
    pub(crate) fn split(&self, count: usize) -> (Self, Self) {
        let (mut front, mut back) = (Self::default(), Self::default());
        for piece in &self.pieces {
            let want = count.saturating_sub(front.len).min(piece.len());
            if let Ok((head, tail)) = piece.split_at(want) {
                front.push(head);
                back.push(tail);
            }
        }
        (front, back)
    }

    fn push(&mut self, piece: VolatileSlice<'m>) {
        if !piece.is_empty() {
            self.len = self.len.saturating_add(piece.len());
            self.pieces.push(piece);
        }
    }

    /// Copies from the front into `bytes`; returns how many.
    pub(crate) fn copy_to(&self, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        for piece in &self.pieces {
            let Some(room) = bytes.get_mut(done..) else {
                break;
            };
            done += piece.copy_to(room);
        }
        done
    }

    /// Copies `bytes` to the front.
    pub(crate) fn copy_from(&self, bytes: &[u8]) {
        let mut rest = bytes;
        for piece in &self.pieces {
            piece.copy_from(rest);
            rest = rest.get(piece.len()..).unwrap_or_default();
        }
    }
}

/// A packet that the driver sent.
#[derive(Debug)]
pub(crate) struct TxPacket<'m> {
    pub(crate) header: Header,
    /// Descriptors that the driver gets back with the packet.
    pub(crate) descriptors: u16,
    /// Exactly `header.len` bytes, or `None` when the chain is shorter than its header says.
    pub(crate) payload: Option<Slices<'m>>,
}

impl<'m> TxPacket<'m> {
    /// `None`: there is no header in this chain, or a descriptor of it cannot be.
    pub(crate) fn parse(
        mem: &'m GuestMemoryMmap,
        chain: DescriptorChain<&'m GuestMemoryMmap>,
    ) -> Option<Self> {
        let all = Slices::of_chain(mem, chain, Permissions::Read)?;
        let (front, body) = all.split(HEADER_LEN);
        let mut bytes = [0; HEADER_LEN];
        if front.copy_to(&mut bytes) < HEADER_LEN {
            return None;
        }
        let header = Header::parse(&bytes);
        let len = usize::try_from(header.len).ok()?;
        let payload = (len <= body.len()).then(|| body.split(len).0);
        Some(Self {
            header,
            descriptors: all.descriptors,
            payload,
        })
    }
}

/// Room for one packet to the driver.
#[derive(Debug)]
pub(crate) struct RxBuffer<'m> {
    header: Slices<'m>,
    pub(crate) body: Slices<'m>,
}

impl<'m> RxBuffer<'m> {
    /// `None`: there is no room for payload beside a header, or a descriptor of the chain cannot be.
    pub(crate) fn parse(
        mem: &'m GuestMemoryMmap,
        chain: DescriptorChain<&'m GuestMemoryMmap>,
    ) -> Option<Self> {
        let all = Slices::of_chain(mem, chain, Permissions::Write)?;
        let (header, body) = all.split(HEADER_LEN);
        (body.len() > 0).then_some(Self { header, body })
    }

    /// Writes the header; returns the bytes of the packet, its payload (already in `body`) included.
    pub(crate) fn finish(&self, header: &Header) -> u32 {
        self.header.copy_from(&header.encode());
        u32::try_from(HEADER_LEN)
            .unwrap_or_default()
            .saturating_add(header.len)
    }
}
