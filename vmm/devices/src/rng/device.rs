//! The entropy device.

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ids::VIRTIO_ID_RNG;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use vm_memory::{Bytes, GuestMemoryMmap};

use crate::virtio::ring::{Chain, drain};
use crate::virtio::{DeviceError, Rings, VirtioDevice};

/// Linux asks for 32 to 64 bytes and has one request under way.
const QUEUE_SIZE: u16 = 8;

/// No request gets more; the driver asks again (5.4.6: a device may fill less than the buffer).
pub(super) const MAX_BYTES: usize = 4096;

/// Fills the guest's buffers with the host's random bytes.
#[derive(Debug, Default)]
pub struct RngDevice {}

/// Nothing: random bytes have no state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RngState {}

impl VirtioDevice for RngDevice {
    type State = RngState;

    fn device_type(&self) -> u32 {
        VIRTIO_ID_RNG
    }

    fn features(&self) -> u64 {
        1 << VIRTIO_F_VERSION_1 | 1 << VIRTIO_RING_F_EVENT_IDX
    }

    fn queue_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn read_config(&self, _offset: u64, _data: &mut [u8]) {
        // There is no configuration space (5.4.4).
    }

    fn process_queue(&mut self, rings: &mut Rings<'_>, index: u16) -> Result<(), DeviceError> {
        let mem = rings.mem;
        drain(rings, index, |chain| Some(fill(mem, chain)))
    }

    fn reset(&mut self) {}

    fn state(&self) -> RngState {
        RngState {}
    }

    fn restore(&mut self, _state: RngState) -> Result<(), String> {
        Ok(())
    }
}

/// Fill the writable buffers of a chain in order; returns how many bytes went in.
fn fill(mem: &GuestMemoryMmap, chain: Chain<'_>) -> u32 {
    let mut written = 0_usize;
    let mut bytes = [0; MAX_BYTES];
    for descriptor in chain.writable() {
        let wanted = usize::try_from(descriptor.len()).unwrap_or(MAX_BYTES);
        let take = wanted.min(MAX_BYTES - written);
        let Some(part) = bytes.get_mut(..take) else {
            break;
        };
        if part.is_empty() || !random(part) || mem.write_slice(part, descriptor.addr()).is_err() {
            break;
        }
        written += take;
        if take < wanted {
            break;
        }
    }
    u32::try_from(written).unwrap_or(0)
}

/// Fill `bytes`; false when the host has none to give (it always has, once it has booted).
fn random(mut bytes: &mut [u8]) -> bool {
    while !bytes.is_empty() {
        match getrandom(&mut *bytes, GetRandomFlags::empty()) {
            Ok(0) => return false,
            Ok(filled) => bytes = bytes.get_mut(filled..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::warn!(%error, "no random bytes from the host");
                return false;
            }
        }
    }
    true
}
