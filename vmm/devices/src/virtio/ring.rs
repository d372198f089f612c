//! What every device does with a ring: serve what is available, then say whether an interrupt is due.

use std::sync::atomic::{Ordering, fence};

use virtio_queue::{DescriptorChain, Error, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::device::{DeviceError, Rings};

/// A chain of descriptors as the driver offered it; nothing in it is to be trusted.
pub type Chain<'a> = DescriptorChain<&'a GuestMemoryMmap>;

/// How many times a queue's size is served before the slot lets others have the lock.
const ROUNDS: u32 = 4;

/// Serve every available chain of queue `index`: `serve` returns how many bytes it wrote into it, or `None`: it is the
/// first one to be served in the next turn.
///
/// Requests that the driver adds meanwhile are served too, up to a bound; past it `rings.again` is set.
///
/// # Errors
/// The ring does not exist or is malformed: the device cannot go on.
pub fn drain(
    rings: &mut Rings<'_>,
    index: u16,
    mut serve: impl FnMut(Chain<'_>) -> Option<u32>,
) -> Result<(), DeviceError> {
    let failed = |cause: virtio_queue::Error| DeviceError {
        queue: index,
        cause: cause.to_string(),
    };
    let mem = rings.mem;
    let Some(queue) = rings.queues.get_mut(usize::from(index)) else {
        return Err(DeviceError {
            queue: index,
            cause: "no such queue".to_owned(),
        });
    };
    let mut budget = ROUNDS.saturating_mul(u32::from(queue.size()));
    let mut served = false;
    let mut more = true;
    while more && budget > 0 {
        queue.disable_notification(mem).map_err(failed)?;
        // A round costs one too: no driver makes this loop turn for ever.
        budget -= 1;
        while budget > 0 {
            let place = queue.next_avail();
            let Some(chain) = queue.iter(mem).map_err(failed)?.next() else {
                break;
            };
            budget -= 1;
            let head = chain.head_index();
            let Some(written) = serve(chain) else {
                // It stays available: who saves the ring now loses nothing.
                queue.set_next_avail(place);
                budget = 0;
                break;
            };
            queue.add_used(mem, head, written).map_err(failed)?;
            served = true;
        }
        // Looks at the ring once more after notifications are on again: what came in between
        // brought no kick and would wait for ever.
        more = queue.enable_notification(mem).map_err(failed)?;
    }
    *rings.again |= more;
    if served && queue.needs_notification(mem).map_err(failed)? {
        *rings.interrupt = true;
    }
    Ok(())
}

/// Give back several chains, head and bytes written of each: the driver sees all of them at once or none.
///
/// # Errors
/// A head is no descriptor's, or the ring is not in guest memory.
pub fn publish(mem: &GuestMemoryMmap, queue: &mut Queue, used: &[(u16, u32)]) -> Result<(), Error> {
    let Some(((head, len), before)) = used.split_last() else {
        return Ok(());
    };
    let mut index = queue.next_used();
    for (head, len) in before {
        if *head >= queue.size() {
            return Err(Error::InvalidDescriptorIndex);
        }
        // An entry of the used ring (2.7.8): 4 bytes of flags and index, then 8 bytes each.
        let place = u64::from(index.checked_rem(queue.size()).unwrap_or(0));
        let address = queue.used_ring().checked_add(4 + place * 8);
        let address = GuestAddress(address.ok_or(Error::AddressOverflow)?);
        let entry = [u32::from(*head).to_le(), len.to_le()];
        mem.write_obj(entry, address).map_err(Error::GuestMemory)?;
        index = index.wrapping_add(1);
    }
    // The last entry moves the ring's index over all of them.
    queue.set_next_used(index);
    queue.add_used(mem, *head, *len)
}

/// Whether an interrupt is due for what was given back since the used index was `before`: for queues that [`publish`],
/// where `Queue::needs_notification` knows of some of the entries only.
///
/// # Errors
/// The ring is not in guest memory.
pub fn interrupt_due(mem: &GuestMemoryMmap, queue: &Queue, before: u16) -> Result<bool, Error> {
    if !queue.event_idx_enabled() {
        return Ok(true);
    }
    // The entries come before the look at what the driver waits for (2.7.10.2).
    fence(Ordering::SeqCst);
    let at = queue
        .avail_ring()
        .checked_add(4 + u64::from(queue.size()) * 2);
    let at = GuestAddress(at.ok_or(Error::AddressOverflow)?);
    let event = u16::from_le(
        mem.load(at, Ordering::Relaxed)
            .map_err(Error::GuestMemory)?,
    );
    let now = queue.next_used();
    Ok(now.wrapping_sub(event).wrapping_sub(1) < now.wrapping_sub(before))
}
