//! A net slot as a virtio device.

use std::io;
use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};
use virtio_bindings::virtio_ids::VIRTIO_ID_NET;
use virtio_bindings::virtio_net::VIRTIO_NET_F_MRG_RXBUF;
use virtio_queue::{QueueOwnedT, QueueT};

use super::config::{
    FEATURES, HEADER_LEN, MTU, NetState, Nic, Offloads, QUEUE_SIZES, RX, TX, has, space,
};
use super::error::{NetSlotEmpty, PlugError};
use super::port::{Port, Sent, Waiter, Wire};
use super::receive::{Placed, Placer};
use super::transmit::load;
use crate::virtio::ring::interrupt_due;
use crate::virtio::{DeviceError, Rings, VirtioDevice, config_space};

/// Frames taken from the network before others have their turn.
const RX_TURN: u32 = 64;

/// A slot for a network.
#[derive(Debug)]
pub struct NetDevice {
    waiter: Waiter,
    port: Option<Port>,
    /// What the driver that runs has agreed on.
    features: Option<u64>,
    /// The driver has given no buffers: its next kick ends this.
    starved: bool,
    placer: Placer,
    metrics: NetMetrics,
}

/// What a slot has done since the VMM started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetMetrics {
    /// Frames to the guest.
    pub rx_frames: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Frames from the guest.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Frames that one side had no place for.
    pub dropped: u64,
    /// Frames of the driver that were none.
    pub refused: u64,
}

impl NetDevice {
    /// An empty slot.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            waiter: Waiter::new()?,
            port: None,
            features: None,
            starved: false,
            placer: Placer::default(),
            metrics: NetMetrics::default(),
        })
    }

    /// Plug a network in; the caller raises the configuration change.
    ///
    /// # Errors
    /// The slot has a network, or the MTU is none.
    pub fn plug(&mut self, wire: Box<dyn Wire>, nic: Nic) -> Result<(), PlugError> {
        if let Some(port) = &self.port {
            return Err(PlugError::Occupied(port.nic.mac));
        }
        if !MTU.contains(&nic.mtu) {
            return Err(PlugError::Mtu(nic.mtu));
        }
        let mut port = Port::new(wire, nic, &self.waiter)?;
        if let Some(features) = self.features {
            port.restart(Offloads::negotiated(features), &self.waiter);
            port.watch(&self.waiter, !self.starved);
        }
        self.port = Some(port);
        Ok(())
    }

    /// Unplug the network; the caller raises the configuration change.
    ///
    /// # Errors
    /// There is none.
    pub fn unplug(&mut self) -> Result<(), NetSlotEmpty> {
        let port = self.port.take().ok_or(NetSlotEmpty)?;
        port.unwatch(&self.waiter);
        Ok(())
    }

    /// What is plugged in.
    pub fn nic(&self) -> Option<Nic> {
        self.port.as_ref().map(|port| port.nic)
    }

    /// Counters.
    pub fn metrics(&self) -> NetMetrics {
        self.metrics
    }

    /// Frames of the network into the guest's buffers, while both are there.
    fn receive(&mut self, rings: &mut Rings<'_>) -> Result<(), DeviceError> {
        let broken = |error| broken(RX, &error);
        let (mem, mergeable) = (rings.mem, has(rings.features, VIRTIO_NET_F_MRG_RXBUF));
        let (Some(port), [queue, _]) = (&mut self.port, &mut *rings.queues) else {
            return Ok(());
        };
        if !queue.ready() || self.starved {
            return Ok(());
        }
        let before = queue.next_used();
        for _ in 0..RX_TURN {
            let Some(frame) = port.frame(&self.waiter) else {
                break;
            };
            let bytes = frame.len().saturating_sub(HEADER_LEN);
            match self
                .placer
                .place(mem, queue, frame, mergeable)
                .map_err(broken)?
            {
                Placed::Whole => {
                    self.metrics.rx_frames += 1;
                    self.metrics.rx_bytes += u64::try_from(bytes).unwrap_or(0);
                    port.frame_done();
                }
                Placed::TooLarge => {
                    self.metrics.dropped += 1;
                    port.frame_done();
                }
                Placed::Again => {}
                Placed::NoRoom => {
                    self.starved = true;
                    break;
                }
            }
        }
        // A frame that waits for buffers which are there now brings no event of the network.
        *rings.again |= port.has_frame() && !self.starved;
        if queue.next_used() != before {
            *rings.interrupt |= interrupt_due(mem, queue, before).map_err(broken)?;
        }
        Ok(())
    }

    /// Frames of the guest to the network, until there are none or the network takes no more.
    fn transmit(&mut self, rings: &mut Rings<'_>) -> Result<(), DeviceError> {
        let broken = |error| broken(TX, &error);
        let (mem, features) = (rings.mem, rings.features);
        let [_, queue] = &mut *rings.queues else {
            return Ok(());
        };
        if !queue.ready() || !Self::unblock(&mut self.port, &mut self.metrics) {
            return Ok(());
        }
        let before = queue.next_used();
        let mut turn = u32::from(queue.size()) * 2;
        let mut more = true;
        while more && turn > 0 {
            turn -= 1;
            let Some(chain) = queue.iter(mem).map_err(broken)?.next() else {
                more = queue.enable_notification(mem).map_err(broken)?;
                continue;
            };
            let head = chain.head_index();
            match &mut self.port {
                Some(port) => match load(mem, chain, port.outgoing(), features) {
                    Ok(len) => more = count(&mut self.metrics, port.send(len), len),
                    Err(error) => {
                        tracing::debug!(%error, "frame refused");
                        self.metrics.refused += 1;
                    }
                },
                None => self.metrics.dropped += 1,
            }
            queue.add_used(mem, head, 0).map_err(broken)?;
        }
        *rings.again |= more;
        if queue.next_used() != before {
            *rings.interrupt |= queue.needs_notification(mem).map_err(broken)?;
        }
        Ok(())
    }

    /// Send the frame that waits; false: it still does.
    fn unblock(port: &mut Option<Port>, metrics: &mut NetMetrics) -> bool {
        match port {
            Some(port) if port.is_blocked() => {
                let len = port.blocked_len();
                count(metrics, port.send_waiting(), len)
            }
            _ => true,
        }
    }

    fn watch(&mut self) {
        let frames = self.features.is_some() && !self.starved;
        if let Some(port) = &mut self.port {
            port.watch(&self.waiter, frames);
        }
    }
}

/// Whether more can be sent.
fn count(metrics: &mut NetMetrics, sent: Sent, len: usize) -> bool {
    match sent {
        Sent::Whole => {
            metrics.tx_frames += 1;
            metrics.tx_bytes += u64::try_from(len.saturating_sub(HEADER_LEN)).unwrap_or(0);
        }
        Sent::Lost => metrics.dropped += 1,
        Sent::Waits => return false,
    }
    true
}

fn broken(queue: u16, error: &virtio_queue::Error) -> DeviceError {
    DeviceError {
        queue,
        cause: error.to_string(),
    }
}

impl VirtioDevice for NetDevice {
    type State = NetState;

    fn device_type(&self) -> u32 {
        VIRTIO_ID_NET
    }

    fn features(&self) -> u64 {
        FEATURES
    }

    fn queue_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        let up = self.port.as_ref().is_some_and(Port::is_up);
        config_space::read(&space(self.nic(), up), offset, data);
    }

    fn activate(&mut self, features: u64) {
        self.features = Some(features);
        self.starved = false;
        if let Some(port) = &mut self.port {
            port.restart(Offloads::negotiated(features), &self.waiter);
        }
        self.watch();
    }

    fn process_queue(&mut self, rings: &mut Rings<'_>, index: u16) -> Result<(), DeviceError> {
        let done = if index == RX {
            self.starved = false;
            self.receive(rings)
        } else {
            self.transmit(rings)
        };
        self.watch();
        done
    }

    fn host_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.waiter.fd())
    }

    fn process_host(&mut self, rings: Option<&mut Rings<'_>>) -> Result<(), DeviceError> {
        let ready = self.waiter.ready();
        let mut done = Ok(());
        if let Some(rings) = rings {
            done = self.receive(rings);
            if ready.writable && done.is_ok() {
                done = self.transmit(rings);
            }
        }
        if let Some(port) = self.port.as_mut().filter(|_| ready.gone) {
            port.lose(&self.waiter);
        }
        self.watch();
        done
    }

    fn reset(&mut self) {
        self.features = None;
        self.starved = false;
        if let Some(port) = &mut self.port {
            port.restart(Offloads::default(), &self.waiter);
        }
        self.watch();
    }

    fn state(&self) -> NetState {
        self.nic().map_or_else(NetState::default, |nic| NetState {
            mac: nic.mac.bytes(),
            mtu: nic.mtu,
        })
    }

    fn restore(&mut self, _state: NetState) -> Result<(), String> {
        // The guest is told of the network that is here now by a configuration change.
        Ok(())
    }
}
