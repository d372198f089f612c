//! A small real device: writes back what it reads, into the writable part of the chain.

use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use vm_memory::{Bytes, GuestAddress};

use crate::virtio::ring::drain;
use crate::virtio::{DeviceError, Rings, VirtioDevice, config_space};

pub(super) const FEATURES: u64 = 1 << VIRTIO_F_VERSION_1 | 1 << VIRTIO_RING_F_EVENT_IDX | 1;

/// Echoes; its configuration space is the number of requests served, as 4 bytes.
#[derive(Debug, Default)]
pub(super) struct Echo {
    pub(super) served: u32,
    pub(super) resets: u32,
    pub(super) activated_with: Option<u64>,
    pub(super) written_config: Vec<u8>,
}

impl VirtioDevice for Echo {
    type State = u32;

    fn device_type(&self) -> u32 {
        0x7fff
    }

    fn features(&self) -> u64 {
        FEATURES
    }

    fn queue_sizes(&self) -> &[u16] {
        &[16, 8]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        config_space::read(&self.served.to_le_bytes(), offset, data);
    }

    fn write_config(&mut self, _offset: u64, data: &[u8]) {
        self.written_config = data.to_vec();
    }

    fn activate(&mut self, features: u64) {
        self.activated_with = Some(features);
    }

    fn process_queue(&mut self, rings: &mut Rings<'_>, index: u16) -> Result<(), DeviceError> {
        let mem = rings.mem;
        drain(rings, index, |chain| {
            self.served += 1;
            let mut bytes = Vec::new();
            let mut written = 0;
            for descriptor in chain {
                let mut part = vec![0; usize::try_from(descriptor.len()).unwrap()];
                let addr = GuestAddress(descriptor.addr().0);
                if descriptor.is_write_only() {
                    let len = part.len().min(bytes.len());
                    mem.write_slice(&bytes[..len], addr).unwrap();
                    written += u32::try_from(len).unwrap();
                } else {
                    mem.read_slice(&mut part, addr).unwrap();
                    bytes.extend(part);
                }
            }
            Some(written)
        })
    }

    fn reset(&mut self) {
        self.resets += 1;
        self.activated_with = None;
    }

    fn state(&self) -> u32 {
        self.served
    }

    fn restore(&mut self, state: u32) -> Result<(), String> {
        if state > 1000 {
            return Err(format!("served cannot be {state}"));
        }
        self.served = state;
        Ok(())
    }
}
