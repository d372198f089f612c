//! The balloon as a virtio device.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ids::VIRTIO_ID_BALLOON;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use virtio_queue::desc::split::Descriptor;
use vm_memory::{Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, Permissions};

use super::config::{
    BalloonState, F_REPORTING, INFLATE, MAX_PAGE_NUMBERS, PAGE_BYTES, QUEUE_SIZES, REPORTING,
    ReturnPages, space, written,
};
use crate::virtio::ring::{Chain, drain};
use crate::virtio::{DeviceError, Rings, VirtioDevice, config_space};

/// Gives back what the guest does not use.
pub struct BalloonDevice {
    resource: Box<dyn ReturnPages>,
    actual_pages: u32,
    returned_bytes: Arc<AtomicU64>,
    refused: u64,
}

impl fmt::Debug for BalloonDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalloonDevice")
            .field("actual_pages", &self.actual_pages)
            .field("returned_bytes", &self.returned_bytes)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl BalloonDevice {
    /// A device whose pages go to `resource`.
    pub fn new(resource: Box<dyn ReturnPages>) -> Self {
        Self {
            resource,
            actual_pages: 0,
            returned_bytes: Arc::default(),
            refused: 0,
        }
    }

    /// Bytes given back so far; a page that was used again in between counts each time. Who has the counter need not ask
    /// the slot, which may be giving pages back.
    pub fn returned_bytes(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.returned_bytes)
    }

    /// Ranges that were no pages of guest memory, or that the host did not take.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The ranges of a report: the buffers themselves, which the device may only forget (5.5.6.7).
    fn report(&mut self, mem: &GuestMemoryMmap, chain: Chain<'_>) {
        for descriptor in chain {
            if descriptor.is_write_only() {
                let start = descriptor.addr().0;
                let end = start.checked_add(u64::from(descriptor.len()));
                self.give_back(mem, start, end);
            } else {
                self.refused += 1;
            }
        }
    }

    /// The pages of an inflate request: numbers of pages, 4 bytes each (5.5.6).
    fn inflate(&mut self, mem: &GuestMemoryMmap, chain: Chain<'_>) {
        let mut left = MAX_PAGE_NUMBERS;
        for descriptor in chain.readable() {
            let mut run = Run::default();
            for number in page_numbers(mem, &descriptor, &mut left) {
                if let Some(whole) = run.add(number) {
                    self.give_back_run(mem, whole);
                }
            }
            self.give_back_run(mem, run);
        }
    }

    fn give_back_run(&mut self, mem: &GuestMemoryMmap, run: Run) {
        if run.count > 0 {
            let start = run.first.saturating_mul(PAGE_BYTES);
            let end = start.checked_add(run.count.saturating_mul(PAGE_BYTES));
            self.give_back(mem, start, end);
        }
    }

    /// Give back the whole pages in `[start, end)`, if all of it is guest memory.
    fn give_back(&mut self, mem: &GuestMemoryMmap, start: u64, end: Option<u64>) {
        let first = start.checked_next_multiple_of(PAGE_BYTES);
        let range = first.zip(end.map(|end| end - end % PAGE_BYTES));
        let Some((first, bytes)) =
            range.and_then(|(first, end)| Some((first, end.checked_sub(first)?)))
        else {
            self.refused += 1;
            return;
        };
        let inside = usize::try_from(bytes).is_ok_and(|len| {
            len > 0 && mem.check_range(GuestAddress(first), len, Permissions::Write)
        });
        if !inside {
            tracing::debug!(start, bytes, "no pages of guest memory are given back");
            self.refused += 1;
            return;
        }
        match self.resource.return_pages(GuestAddress(first), bytes) {
            Ok(()) => {
                self.returned_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Err(error) => {
                // Once: a guest can bring it about as often as it likes.
                if self.refused == 0 {
                    tracing::warn!(start = first, bytes, %error, "pages stay with the guest");
                }
                self.refused += 1;
            }
        }
    }
}

/// Pages that follow each other.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    first: u64,
    count: u64,
}

impl Run {
    /// Take a page in; gives the run that ends because the page does not continue it.
    fn add(&mut self, page: u64) -> Option<Self> {
        if self.count > 0 && self.first.checked_add(self.count) == Some(page) {
            self.count += 1;
            return None;
        }
        let ended = *self;
        *self = Self {
            first: page,
            count: 1,
        };
        (ended.count > 0).then_some(ended)
    }
}

/// The page numbers of a buffer, at most `left`; none if it is not in guest memory.
fn page_numbers(mem: &GuestMemoryMmap, buffer: &Descriptor, left: &mut usize) -> Vec<u64> {
    let count = usize::try_from(buffer.len() / 4).map_or(*left, |count| count.min(*left));
    *left -= count;
    let mut bytes = vec![0; count * 4];
    if mem.read_slice(&mut bytes, buffer.addr()).is_err() {
        return Vec::new();
    }
    let (numbers, _) = bytes.as_chunks();
    let numbers = numbers.iter().map(|number| u32::from_le_bytes(*number));
    numbers.map(u64::from).collect()
}

impl VirtioDevice for BalloonDevice {
    type State = BalloonState;

    fn device_type(&self) -> u32 {
        VIRTIO_ID_BALLOON
    }

    fn features(&self) -> u64 {
        1 << VIRTIO_F_VERSION_1 | 1 << VIRTIO_RING_F_EVENT_IDX | 1 << F_REPORTING
    }

    fn queue_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        config_space::read(&space(self.actual_pages), offset, data);
    }

    fn write_config(&mut self, offset: u64, data: &[u8]) {
        if let Some(actual) = written(offset, data) {
            self.actual_pages = actual;
        }
    }

    fn process_queue(&mut self, rings: &mut Rings<'_>, index: u16) -> Result<(), DeviceError> {
        let mem = rings.mem;
        drain(rings, index, |chain| {
            match index {
                INFLATE => self.inflate(mem, chain),
                REPORTING => self.report(mem, chain),
                // A page that leaves the balloon comes back when it is touched.
                _ => {}
            }
            Some(0)
        })
    }

    fn reset(&mut self) {
        self.actual_pages = 0;
    }

    fn state(&self) -> BalloonState {
        BalloonState {
            actual_pages: self.actual_pages,
        }
    }

    fn restore(&mut self, state: BalloonState) -> Result<(), String> {
        self.actual_pages = state.actual_pages;
        Ok(())
    }
}
