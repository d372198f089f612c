//! The buffers of a request: pieces of guest memory, all of them checked to be there.

use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, Permissions};

use super::error::RequestError;

/// A piece of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) addr: GuestAddress,
    pub(super) len: u32,
}

/// Pieces of guest memory in the driver's order; the only way in is [`Segments::push`], which checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Segments {
    pieces: Vec<Segment>,
    total: u64,
}

impl Segments {
    /// Add a piece. Empty ones mean nothing and are left out.
    pub(super) fn push(
        &mut self,
        mem: &GuestMemoryMmap,
        segment: Segment,
        access: Permissions,
    ) -> Result<(), RequestError> {
        if segment.len == 0 {
            return Ok(());
        }
        let outside = || RequestError::Memory(segment.addr.0);
        let len = usize::try_from(segment.len).map_err(|_| outside())?;
        if !mem.check_range(segment.addr, len, access) {
            return Err(outside());
        }
        self.total = self.total.saturating_add(segment.len.into());
        self.pieces.push(segment);
        Ok(())
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn pieces(&self) -> &[Segment] {
        &self.pieces
    }

    /// At most `len` bytes from `skip` on.
    pub(super) fn part(&self, mut skip: u64, len: u64) -> Self {
        let mut part = Self::default();
        for piece in &self.pieces {
            let here = skip.min(piece.len.into());
            skip = skip.saturating_sub(here);
            let addr = GuestAddress(piece.addr.0.saturating_add(here));
            let left = u64::from(piece.len).saturating_sub(here);
            let take = left.min(len.saturating_sub(part.total));
            if let (Ok(len), true) = (u32::try_from(take), take > 0) {
                part.pieces.push(Segment { addr, len });
                part.total = part.total.saturating_add(take);
            }
        }
        part
    }

    /// Copy the first `N` bytes out and drop them; `None` when there are fewer.
    pub(super) fn take_front<const N: usize>(&mut self, mem: &GuestMemoryMmap) -> Option<[u8; N]> {
        let wanted = u64::try_from(N).ok()?;
        if self.total < wanted {
            return None;
        }
        let mut front = [0; N];
        let mut left = front.as_mut_slice();
        let mut used_up = 0;
        for piece in &mut self.pieces {
            if left.is_empty() {
                break;
            }
            let take = usize::try_from(piece.len).ok()?.min(left.len());
            let (now, later) = left.split_at_mut_checked(take)?;
            mem.read_slice(now, piece.addr).ok()?;
            left = later;
            let taken = u32::try_from(take).ok()?;
            piece.len = piece.len.checked_sub(taken)?;
            piece.addr = GuestAddress(piece.addr.0.checked_add(taken.into())?);
            used_up += usize::from(piece.len == 0);
        }
        self.pieces.drain(..used_up);
        self.total = self.total.checked_sub(wanted)?;
        Some(front)
    }

    /// Drop the last byte and return where it is.
    pub(super) fn take_last(&mut self) -> Option<GuestAddress> {
        let last = self.pieces.last_mut()?;
        last.len = last.len.checked_sub(1)?;
        let addr = GuestAddress(last.addr.0.checked_add(last.len.into())?);
        if last.len == 0 {
            self.pieces.pop();
        }
        self.total = self.total.checked_sub(1)?;
        Some(addr)
    }
}
