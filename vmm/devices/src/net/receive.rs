//! A frame into the buffers of the guest.

use virtio_queue::{Error, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, Permissions};

use super::config::HEADER_LEN;
use crate::virtio::ring::publish;

/// What came of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It is the driver's.
    Whole,
    /// There are too few buffers now; a kick comes with more.
    NoRoom,
    /// There were too few buffers, but more came in between.
    Again,
    /// No buffers of this driver will ever be enough.
    TooLarge,
}

/// Buffers that are about to be filled; kept, so that no frame costs an allocation.
#[derive(Debug, Default)]
pub(super) struct Placer {
    /// Heads and how many bytes go into each.
    used: Vec<(u16, u32)>,
    pieces: Vec<(GuestAddress, usize)>,
}

impl Placer {
    /// Put `frame`, which begins with its header, into the next buffers of `queue`. With `mergeable` into several, which
    /// the driver sees all at once (5.1.6.4); without into one.
    pub(super) fn place(
        &mut self,
        mem: &GuestMemoryMmap,
        queue: &mut Queue,
        frame: &mut [u8],
        mergeable: bool,
    ) -> Result<Placed, Error> {
        let begin = queue.next_avail();
        self.used.clear();
        self.pieces.clear();
        let mut left = frame.len();
        while left > 0 {
            let whole_ring = self.used.len() >= usize::from(queue.size());
            if whole_ring || (!mergeable && !self.used.is_empty()) {
                queue.set_next_avail(begin);
                return Ok(Placed::TooLarge);
            }
            let Some(chain) = queue.iter(mem)?.next() else {
                // Only now is a kick of this ring worth an exit of the guest: for a buffer after those seen.
                let more = queue.enable_notification(mem)?;
                queue.set_next_avail(begin);
                return Ok(if more { Placed::Again } else { Placed::NoRoom });
            };
            let head = chain.head_index();
            let before = left;
            for buffer in chain.writable() {
                let len = usize::try_from(buffer.len())
                    .unwrap_or(usize::MAX)
                    .min(left);
                if len == 0 {
                    continue;
                }
                if !mem.check_range(buffer.addr(), len, Permissions::Write) {
                    break;
                }
                self.pieces.push((buffer.addr(), len));
                left -= len;
            }
            // What is no memory holds nothing: the driver gets it back with the frame.
            let taken = u32::try_from(before - left).unwrap_or(u32::MAX);
            self.used.push((head, taken));
        }
        self.fill(mem, frame)?;
        publish(mem, queue, &self.used)?;
        Ok(Placed::Whole)
    }

    fn fill(&self, mem: &GuestMemoryMmap, frame: &mut [u8]) -> Result<(), Error> {
        let buffers = u16::try_from(self.used.len()).unwrap_or(u16::MAX);
        let count = frame.get_mut(HEADER_LEN - 2..HEADER_LEN);
        if let Some(count) = count {
            count.copy_from_slice(&buffers.to_le_bytes());
        }
        let mut rest = &*frame;
        for (addr, len) in &self.pieces {
            let (now, later) = rest.split_at_checked(*len).unwrap_or((rest, &[]));
            mem.write_slice(now, *addr).map_err(Error::GuestMemory)?;
            rest = later;
        }
        Ok(())
    }
}
