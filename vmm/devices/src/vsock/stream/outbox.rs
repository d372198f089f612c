//! Bytes of the guest that the client's socket did not take yet.

use crate::vsock::chain::Slices;

/// See the file's head. Empty it owns no memory; its bound is the credit that the guest was given.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes of memory that it holds.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// What waits, oldest first.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Appends guest memory.
    pub(crate) fn push(&mut self, slices: &Slices<'_>) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let before = self.bytes.len();
        self.bytes.reserve_exact(slices.len());
        self.bytes.resize(before.saturating_add(slices.len()), 0);
        let room = self.bytes.get_mut(before..).unwrap_or_default();
        slices.copy_to(room);
    }

    /// Forgets the oldest `count` bytes.
    pub(crate) fn pop(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
        if self.start >= self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Forgets everything; returns how much that was.
    pub(crate) fn clear(&mut self) -> usize {
        let count = self.waiting().len();
        *self = Self::default();
        count
    }
}
