//! What every device does with a ring: serve what is available, then say whether an interrupt is due.

use virtio_queue::{DescriptorChain, QueueOwnedT, QueueT};
use vm_memory::GuestMemoryMmap;

use super::device::{DeviceError, Rings};

/// A chain of descriptors as the driver offered it; nothing in it is to be trusted.
pub type Chain<'a> = DescriptorChain<&'a GuestMemoryMmap>;

/// How many times a queue's size is served before the slot lets others have the lock.
const ROUNDS: u32 = 4;

/// Serve every available chain of queue `index`: `serve` returns how many bytes it wrote into it.
///
/// Requests that the driver adds meanwhile are served too, up to a bound; past it `rings.again` is set.
///
/// # Errors
/// The ring does not exist or is malformed: the device cannot go on.
pub fn drain(
    rings: &mut Rings<'_>,
    index: u16,
    mut serve: impl FnMut(Chain<'_>) -> u32,
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
            let Some(chain) = queue.iter(mem).map_err(failed)?.next() else {
                break;
            };
            budget -= 1;
            let head = chain.head_index();
            let written = serve(chain);
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
