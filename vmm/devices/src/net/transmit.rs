//! A chain of the driver into a frame for the network.

use vm_memory::{Bytes, GuestMemoryMmap};

use super::config::{HEADER_LEN, MIN_FRAME};
use super::error::FrameError;
use super::header;
use crate::virtio::ring::Chain;

/// Copy the frame of `chain` to `space` with a header that is checked; returns the length of both.
pub(super) fn load(
    mem: &GuestMemoryMmap,
    chain: Chain<'_>,
    space: &mut [u8],
    features: u64,
) -> Result<usize, FrameError> {
    let len = copy(mem, chain, space)?;
    let frame_len = len.checked_sub(HEADER_LEN).filter(|len| *len >= MIN_FRAME);
    let frame_len = frame_len.ok_or(FrameError::Length)?;
    let (raw, _) = space.split_first_chunk_mut().ok_or(FrameError::Length)?;
    *raw = header::checked(*raw, frame_len, features)?;
    Ok(len)
}

fn copy(mem: &GuestMemoryMmap, chain: Chain<'_>, space: &mut [u8]) -> Result<usize, FrameError> {
    let mut len = 0_usize;
    let mut complete = false;
    for buffer in chain {
        if buffer.is_write_only() {
            return Err(FrameError::Writable);
        }
        complete = !buffer.has_next();
        let end = usize::try_from(buffer.len())
            .ok()
            .and_then(|more| len.checked_add(more));
        let place = end.and_then(|end| space.get_mut(len..end));
        let place = place.ok_or(FrameError::Length)?;
        mem.read_slice(place, buffer.addr())
            .map_err(|_| FrameError::Memory)?;
        len += place.len();
    }
    if complete {
        Ok(len)
    } else {
        Err(FrameError::Memory)
    }
}
