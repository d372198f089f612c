//! The saved form of a slot: transport registers, rings, and the device's own state.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use virtio_queue::QueueT;
use vm_memory::GuestMemoryMmap;

use super::registers::{interrupt, status};
use super::transport::{QueueSetup, Transport, apply};

/// Version of [`SlotState`]; another one is refused.
pub const SLOT_STATE_VERSION: u32 = 1;

/// Everything of a slot that the guest can tell, without the host's resources behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotState<S> {
    /// [`SLOT_STATE_VERSION`].
    pub version: u32,
    /// Device ID of the device that was saved.
    pub device_type: u32,
    /// Registers and rings.
    pub transport: TransportState,
    /// The device's own.
    pub device: S,
}

/// Registers of the transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransportState {
    /// Device status.
    pub status: u32,
    /// Pending bits of the interrupt status.
    pub interrupt_status: u32,
    /// Features that the driver accepted.
    pub driver_features: u64,
    /// Page selected for reading the device's features.
    pub device_features_sel: u32,
    /// Page selected for writing the driver's features.
    pub driver_features_sel: u32,
    /// Selected queue.
    pub queue_sel: u32,
    /// Generation of the configuration space.
    pub config_generation: u32,
    /// One for each queue.
    pub queues: Vec<QueueRegisters>,
}

/// One queue: what the driver set up, and how far the device is in the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueRegisters {
    /// Size as the driver wrote it.
    pub size: u32,
    /// Guest address of the descriptor table.
    pub desc: u64,
    /// Guest address of the available ring.
    pub driver: u64,
    /// Guest address of the used ring.
    pub device: u64,
    /// The queue is in use.
    pub ready: bool,
    /// Next entry of the available ring.
    pub next_avail: u16,
    /// Next entry of the used ring.
    pub next_used: u16,
}

/// A saved state that this slot cannot take over.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Saved by another format.
    #[error("slot state version {0} is not {SLOT_STATE_VERSION}")]
    Version(u32),
    /// Saved from another kind of device.
    #[error("device type {saved} was saved, this slot holds type {present}")]
    DeviceType {
        /// Type in the state.
        saved: u32,
        /// Type of the device in the slot.
        present: u32,
    },
    /// Not what a slot's registers can hold.
    #[error("{register} cannot be {value:#x}")]
    Register {
        /// Name of the register.
        register: &'static str,
        /// What the state says.
        value: u64,
    },
    /// A queue that the device does not have, or that does not fit in guest memory.
    #[error("queue {0} cannot be restored")]
    Queue(usize),
    /// The device refused its part.
    #[error("device state: {0}")]
    Device(String),
}

impl TransportState {
    pub(super) fn of(transport: &Transport, interrupt_status: u32) -> Self {
        let queues = transport
            .rings
            .iter()
            .zip(&transport.setups)
            .map(|(ring, setup)| QueueRegisters {
                size: setup.size,
                desc: setup.desc,
                driver: setup.driver,
                device: setup.device,
                ready: ring.ready(),
                next_avail: ring.next_avail(),
                next_used: ring.next_used(),
            })
            .collect();
        Self {
            status: transport.status,
            interrupt_status,
            driver_features: transport.driver_features,
            device_features_sel: transport.device_features_sel,
            driver_features_sel: transport.driver_features_sel,
            queue_sel: transport.queue_sel,
            config_generation: transport.config_generation,
            queues,
        }
    }

    /// A transport with these registers; `fresh` is one that was just reset.
    pub(super) fn into_transport(
        self,
        mut fresh: Transport,
        mem: &GuestMemoryMmap,
    ) -> Result<Transport, RestoreError> {
        let known = status::DRIVER_BITS | status::NEEDS_RESET;
        check("status", self.status, self.status & !known == 0)?;
        let pending = self.interrupt_status;
        check("interrupt status", pending, pending & !interrupt::ALL == 0)?;
        let negotiated = self.status & status::FEATURES_OK != 0;
        if negotiated && self.driver_features & !fresh.offered() != 0 {
            return Err(RestoreError::Register {
                register: "driver features",
                value: self.driver_features,
            });
        }
        if self.queues.len() != fresh.rings.len() {
            return Err(RestoreError::Queue(self.queues.len()));
        }
        fresh.status = self.status;
        fresh.driver_features = self.driver_features;
        fresh.device_features_sel = self.device_features_sel;
        fresh.driver_features_sel = self.driver_features_sel;
        fresh.queue_sel = self.queue_sel;
        fresh.config_generation = self.config_generation;
        fresh.setups.clear();
        for (index, (ring, saved)) in fresh.rings.iter_mut().zip(&self.queues).enumerate() {
            let setup = QueueSetup {
                size: saved.size,
                desc: saved.desc,
                driver: saved.driver,
                device: saved.device,
            };
            if saved.ready && !apply(ring, setup, mem) {
                return Err(RestoreError::Queue(index));
            }
            ring.set_next_avail(saved.next_avail);
            ring.set_next_used(saved.next_used);
            fresh.setups.push(setup);
        }
        fresh.set_ring_features();
        Ok(fresh)
    }
}

fn check(register: &'static str, value: u32, valid: bool) -> Result<(), RestoreError> {
    if valid {
        return Ok(());
    }
    Err(RestoreError::Register {
        register,
        value: value.into(),
    })
}
