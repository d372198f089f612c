//! The device: rings on one side, the muxer on the other.

use std::os::fd::{BorrowedFd, OwnedFd};

use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ids::VIRTIO_ID_VSOCK;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestMemoryMmap};

use super::chain::{RxBuffer, Slices, TxPacket};
use super::config::{Doorbell, GUEST_CIDS, VsockConfig, VsockState};
use super::error::VsockError;
use super::muxer::Muxer;
use crate::virtio::{DeviceError, Rings, VirtioDevice, config_space};

const RX: u16 = 0;
const TX: u16 = 1;
const EVENT: u16 = 2;

/// Linux fills the receive ring with 4 KiB buffers before the first process runs, so each entry costs
/// boot time and memory; 32 of them are a batch of 116 KiB. 18 descriptors of the transmit ring are
/// Linux's largest packet. Linux never has more than 8 event buffers.
const QUEUE_SIZES: [u16; 3] = [32, 64, 8];

/// The event of virtio 1.2, 5.10.6.7: all streams are gone.
const TRANSPORT_RESET: u32 = 0;

/// Where the news of the lost streams is on its way to a restored guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LostStreams {
    /// There is no such news.
    None,
    /// It has to be sent.
    Owed,
    /// It was sent when the driver had made this many buffers available; one more means that it was read.
    Sent(u16),
}

/// A virtio-vsock device. See the map of [`crate::vsock`].
#[derive(Debug)]
pub struct Vsock {
    muxer: Muxer,
    lost_streams: LostStreams,
    completed: Completed,
}

/// Transmit descriptors that were given back without an interrupt. The driver only frees memory with them
/// and looks at this ring whenever the device interrupts, so most of these interrupts would cost an
/// interpreted guest thousands of instructions for nothing.
#[derive(Debug, Default)]
struct Completed {
    descriptors: u16,
    bytes: usize,
}

impl Completed {
    /// What the driver may be kept from freeing.
    const MAX_BYTES: usize = 256 * 1024;

    fn add(&mut self, packet: Option<&TxPacket<'_>>) {
        // Of a chain that is no packet nobody knows how long the driver thinks it is.
        let descriptors = packet.map_or(u16::MAX, |packet| packet.descriptors);
        let payload = packet.and_then(|packet| packet.payload.as_ref());
        self.descriptors = self.descriptors.saturating_add(descriptors);
        self.bytes = self.bytes.saturating_add(payload.map_or(0, Slices::len));
    }

    /// Linux waits for this interrupt when a packet finds no room, and its largest packets have 18
    /// descriptors: three quarters of the ring always have to be free.
    fn is_due(&self, ring_size: u16) -> bool {
        self.descriptors > 0 && (self.descriptors >= ring_size / 4 || self.bytes >= Self::MAX_BYTES)
    }
}

impl Vsock {
    /// A device whose clients come from `listener`, a listening UNIX stream socket. `report` is called
    /// for each doorbell, at most once each, with the slot's lock held: it must not call back.
    ///
    /// # Errors
    /// The configuration contradicts itself or a descriptor could not be made.
    pub fn new(
        config: VsockConfig,
        listener: OwnedFd,
        report: Box<dyn Fn(Doorbell) + Send>,
    ) -> Result<Self, VsockError> {
        if !GUEST_CIDS.contains(&config.guest_cid) {
            return Err(VsockError::ReservedCid(config.guest_cid));
        }
        if config.doorbells.started == config.doorbells.ready {
            return Err(VsockError::SameDoorbell(config.doorbells.ready));
        }
        Ok(Self {
            muxer: Muxer::new(config, listener, report)?,
            lost_streams: LostStreams::None,
            completed: Completed::default(),
        })
    }

    /// Takes packets of the driver, at most a ring full of them: a driver that never stops must not keep
    /// the thread to itself.
    fn take_packets(&mut self, mem: &GuestMemoryMmap, tx: &mut Queue) -> Result<(), DeviceError> {
        let broken = |error| broken(TX, &error);
        for _ in 0..tx.size() {
            let Some(chain) = tx.iter(mem).map_err(broken)?.next() else {
                if !tx.enable_notification(mem).map_err(broken)? {
                    return Ok(());
                }
                continue;
            };
            let head = chain.head_index();
            let packet = TxPacket::parse(mem, chain);
            if let Some(packet) = &packet {
                self.muxer.on_packet(packet);
            }
            tx.add_used(mem, head, 0).map_err(broken)?;
            self.completed.add(packet.as_ref());
        }
        self.muxer.wake();
        Ok(())
    }

    /// Gives packets to the driver while both are there, at most two rings full of them. Returns whether
    /// it gave any.
    fn give_packets(&mut self, mem: &GuestMemoryMmap, rx: &mut Queue) -> Result<bool, DeviceError> {
        let broken = |error| broken(RX, &error);
        let mut given = false;
        for _ in 0..rx.size().saturating_mul(2) {
            if !self.muxer.has_packets() {
                return Ok(given);
            }
            let Some(chain) = rx.iter(mem).map_err(broken)?.next() else {
                // Only now is a kick of this ring worth an exit of the guest.
                if !rx.enable_notification(mem).map_err(broken)? {
                    return Ok(given);
                }
                continue;
            };
            let head = chain.head_index();
            let len = match RxBuffer::parse(mem, chain) {
                Some(buffer) => match self.muxer.fill(&buffer) {
                    Some(len) => len,
                    None => {
                        rx.go_to_previous_position();
                        return Ok(given);
                    }
                },
                // The driver offered what no packet fits into; it may have it back.
                None => 0,
            };
            rx.add_used(mem, head, len).map_err(broken)?;
            given = true;
        }
        self.muxer.wake();
        Ok(given)
    }

    /// Tells a restored guest that its streams are gone. Returns whether it did so now.
    fn tell_lost_streams(
        &mut self,
        mem: &GuestMemoryMmap,
        event: &mut Queue,
    ) -> Result<bool, DeviceError> {
        use std::sync::atomic::Ordering::Acquire;
        let broken = |error| broken(EVENT, &error);
        match self.lost_streams {
            LostStreams::None => Ok(false),
            LostStreams::Sent(before) => {
                if event.avail_idx(mem, Acquire).map_err(broken)?.0 != before {
                    self.lost_streams = LostStreams::None;
                    self.muxer.resume();
                }
                Ok(false)
            }
            LostStreams::Owed => {
                let Some(mut chain) = event.iter(mem).map_err(broken)?.next() else {
                    event.enable_notification(mem).map_err(broken)?;
                    return Ok(false);
                };
                let head = chain.head_index();
                let bytes = TRANSPORT_RESET.to_le_bytes();
                let written = chain.next().is_some_and(|descriptor| {
                    descriptor.is_write_only() && mem.write_slice(&bytes, descriptor.addr()).is_ok()
                });
                // A kick is wanted for the buffer that the driver adds after it has read this one.
                let next = event.next_avail();
                let available = event.avail_idx(mem, Acquire).map_err(broken)?.0;
                event.set_next_avail(available);
                event.enable_notification(mem).map_err(broken)?;
                event.set_next_avail(next);
                // Where even this buffer is not what it should be, there is nobody to tell.
                let len = if written { 4 } else { 0 };
                event.add_used(mem, head, len).map_err(broken)?;
                self.lost_streams = LostStreams::Sent(available);
                Ok(true)
            }
        }
    }

    /// Everything that the rings allow after any change.
    fn work(&mut self, rings: &mut Rings<'_>) -> Result<(), DeviceError> {
        let mem = rings.mem;
        let [rx, tx, event] = rings.queues else {
            return Err(DeviceError {
                queue: RX,
                cause: format!("{} queues instead of 3", rings.queues.len()),
            });
        };
        if event.ready() && self.tell_lost_streams(mem, event)? {
            *rings.interrupt |= event
                .needs_notification(mem)
                .map_err(|error| broken(EVENT, &error))?;
        }
        if tx.ready() {
            self.take_packets(mem, tx)?;
        }
        if rx.ready() && self.give_packets(mem, rx)? {
            *rings.interrupt |= rx
                .needs_notification(mem)
                .map_err(|error| broken(RX, &error))?;
        }
        if self.completed.is_due(tx.size()) || (*rings.interrupt && self.completed.descriptors > 0)
        {
            self.completed = Completed::default();
            *rings.interrupt |= tx
                .needs_notification(mem)
                .map_err(|error| broken(TX, &error))?;
        }
        Ok(())
    }
}

fn broken(queue: u16, error: &virtio_queue::Error) -> DeviceError {
    DeviceError {
        queue,
        cause: error.to_string(),
    }
}

impl VirtioDevice for Vsock {
    type State = VsockState;

    fn device_type(&self) -> u32 {
        VIRTIO_ID_VSOCK
    }

    fn features(&self) -> u64 {
        1 << VIRTIO_F_VERSION_1 | 1 << VIRTIO_RING_F_EVENT_IDX
    }

    fn queue_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        config_space::read(&self.muxer.guest_cid().to_le_bytes(), offset, data);
    }

    fn activate(&mut self, _features: u64) {
        // Clients may have come before the driver.
        self.muxer.wake();
    }

    fn process_queue(&mut self, rings: &mut Rings<'_>, _index: u16) -> Result<(), DeviceError> {
        self.work(rings)
    }

    fn host_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.muxer.fd())
    }

    fn process_host(&mut self, rings: Option<&mut Rings<'_>>) -> Result<(), DeviceError> {
        self.muxer.on_host();
        match rings {
            Some(rings) => self.work(rings),
            None => Ok(()),
        }
    }

    fn reset(&mut self) {
        self.muxer.reset();
        self.lost_streams = LostStreams::None;
        self.completed = Completed::default();
    }

    fn state(&self) -> VsockState {
        self.muxer.state()
    }

    fn restore(&mut self, state: VsockState) -> Result<(), String> {
        if !GUEST_CIDS.contains(&state.guest_cid) {
            return Err(format!("guest_cid {} is reserved", state.guest_cid));
        }
        self.muxer.restore(&state);
        if state.streams_lost {
            self.lost_streams = LostStreams::Owed;
        }
        self.muxer.wake();
        Ok(())
    }
}
