//! The register file behind a slot's lock: feature negotiation, queue setup and the status machine.

use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;
use virtio_queue::{Queue, QueueT};
use vm_memory::{GuestAddress, GuestMemoryMmap};

use super::registers::{Half, Register, status};

/// What the driver wrote about one queue; handed to the ring when it says `QueueReady`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QueueSetup {
    pub(super) size: u32,
    pub(super) desc: u64,
    pub(super) driver: u64,
    pub(super) device: u64,
}

/// What a register write asks the slot to do once the registers themselves are up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// The driver set `DRIVER_OK`.
    Activate,
    /// The driver wrote status 0.
    Reset,
}

/// Registers and rings of one slot.
#[derive(Debug)]
pub(super) struct Transport {
    offered: u64,
    pub(super) status: u32,
    pub(super) device_features_sel: u32,
    pub(super) driver_features_sel: u32,
    pub(super) driver_features: u64,
    pub(super) queue_sel: u32,
    pub(super) config_generation: u32,
    pub(super) setups: Vec<QueueSetup>,
    pub(super) rings: Vec<Queue>,
}

impl Transport {
    /// A transport in its state after power-on; the sizes are powers of two up to 32768.
    pub(super) fn new(offered: u64, queue_sizes: &[u16]) -> Result<Self, virtio_queue::Error> {
        let rings = queue_sizes
            .iter()
            .map(|size| Queue::new(*size))
            .collect::<Result<Vec<_>, _>>()?;
        let mut transport = Self {
            offered,
            status: 0,
            device_features_sel: 0,
            driver_features_sel: 0,
            driver_features: 0,
            queue_sel: 0,
            config_generation: 0,
            setups: Vec::new(),
            rings,
        };
        transport.reset();
        Ok(transport)
    }

    pub(super) fn offered(&self) -> u64 {
        self.offered
    }

    /// The driver may use the rings and the device may.
    pub(super) fn running(&self) -> bool {
        self.has(status::DRIVER_OK) && !self.has(status::FAILED) && !self.has(status::NEEDS_RESET)
    }

    pub(super) fn driver_ok(&self) -> bool {
        self.has(status::DRIVER_OK)
    }

    /// Status for the driver: after this only a reset helps.
    pub(super) fn set_needs_reset(&mut self) {
        self.status |= status::NEEDS_RESET;
    }

    pub(super) fn config_changed(&mut self) {
        self.config_generation = self.config_generation.wrapping_add(1);
    }

    pub(super) fn reset(&mut self) {
        self.status = 0;
        self.device_features_sel = 0;
        self.driver_features_sel = 0;
        self.driver_features = 0;
        self.queue_sel = 0;
        for ring in &mut self.rings {
            ring.reset();
        }
        self.setups = self
            .rings
            .iter()
            .map(|ring| QueueSetup {
                size: u32::from(ring.max_size()),
                ..QueueSetup::default()
            })
            .collect();
    }

    /// Read a register that belongs to the transport alone.
    pub(super) fn read(&self, register: Register) -> u32 {
        match register {
            Register::DeviceFeatures => page(self.offered, self.device_features_sel),
            Register::QueueNumMax => self
                .selected()
                .map_or(0, |(ring, _)| ring.max_size().into()),
            Register::QueueReady => self.selected().map_or(0, |(ring, _)| ring.ready().into()),
            Register::Status => self.status,
            Register::ConfigGeneration => self.config_generation,
            // No shared memory regions: length -1 and, though meaningless, the same as address.
            Register::Shm => u32::MAX,
            _ => 0,
        }
    }

    /// Write a register that belongs to the transport alone.
    pub(super) fn write(
        &mut self,
        register: Register,
        value: u32,
        mem: &GuestMemoryMmap,
    ) -> Effect {
        match register {
            Register::DeviceFeaturesSel => self.device_features_sel = value,
            Register::DriverFeaturesSel => self.driver_features_sel = value,
            Register::DriverFeatures if self.negotiating() => self.write_driver_features(value),
            Register::QueueSel => self.queue_sel = value,
            Register::Status => return self.write_status(value),
            Register::QueueReady => self.write_queue_ready(value, mem),
            Register::QueueNum => self.configure(|setup| setup.size = value),
            Register::QueueDesc(half) => self.configure(|setup| set(half, &mut setup.desc, value)),
            Register::QueueDriver(half) => {
                self.configure(|setup| set(half, &mut setup.driver, value));
            }
            Register::QueueDevice(half) => {
                self.configure(|setup| set(half, &mut setup.device, value));
            }
            _ => {}
        }
        Effect::None
    }

    /// Give the rings of a driver that is ready the features they depend on.
    pub(super) fn set_ring_features(&mut self) {
        let event_idx = self.driver_features & (1 << VIRTIO_RING_F_EVENT_IDX) != 0;
        for ring in &mut self.rings {
            ring.set_event_idx(event_idx);
        }
    }

    fn has(&self, bit: u32) -> bool {
        self.status & bit != 0
    }

    /// Between `DRIVER` and `FEATURES_OK` (3.1.1, step 4).
    fn negotiating(&self) -> bool {
        self.has(status::DRIVER) && !self.has(status::FEATURES_OK)
    }

    fn write_driver_features(&mut self, value: u32) {
        match self.driver_features_sel {
            0 => self.driver_features = Half::Low.replace(self.driver_features, value),
            1 => self.driver_features = Half::High.replace(self.driver_features, value),
            // Bits of further pages are not offered; 0 is what a driver may write there.
            _ => {}
        }
    }

    /// The status machine (2.1): bits are only added, each after the one before it; 0 resets.
    fn write_status(&mut self, value: u32) -> Effect {
        if value == 0 {
            return Effect::Reset;
        }
        let asked = value & status::DRIVER_BITS;
        let current = self.status & status::DRIVER_BITS;
        if asked & current != current {
            tracing::debug!(
                value,
                status = self.status,
                "status write that clears bits is ignored"
            );
            return Effect::None;
        }
        let mut next = current;
        for (bit, needs) in [
            (status::ACKNOWLEDGE, 0),
            (status::DRIVER, status::ACKNOWLEDGE),
            (status::FEATURES_OK, status::DRIVER),
            (status::DRIVER_OK, status::FEATURES_OK),
            (status::FAILED, 0),
        ] {
            let refused = bit == status::FEATURES_OK && !self.features_acceptable();
            if asked & bit != 0 && next & needs == needs && !refused {
                next |= bit;
            }
        }
        let added = next & !current;
        self.status |= next;
        if added & status::DRIVER_OK != 0 && self.running() {
            return Effect::Activate;
        }
        Effect::None
    }

    /// Whether `FEATURES_OK` may stay set (2.2, 6.1).
    fn features_acceptable(&self) -> bool {
        self.has(status::FEATURES_OK)
            || (self.driver_features & !self.offered == 0
                && self.driver_features & (1 << VIRTIO_F_VERSION_1) != 0)
    }

    fn write_queue_ready(&mut self, value: u32, mem: &GuestMemoryMmap) {
        let may_enable = self.configuring();
        let Some((ring, setup)) = self.selected_mut() else {
            return;
        };
        if value & 1 == 0 {
            ring.set_ready(false);
        } else if may_enable && !ring.ready() && !apply(ring, *setup, mem) {
            // No interrupt tells of it: the driver has not said `DRIVER_OK` yet (2.1.2).
            tracing::debug!(queue = self.queue_sel, "queue setup is unusable");
            self.set_needs_reset();
        }
    }

    /// Queues are set up between `FEATURES_OK` and `DRIVER_OK` (3.1.1, step 7).
    fn configuring(&self) -> bool {
        self.has(status::FEATURES_OK) && !self.has(status::DRIVER_OK)
    }

    /// Change the setup of the selected queue, unless it is in use.
    fn configure(&mut self, change: impl FnOnce(&mut QueueSetup)) {
        if !self.configuring() {
            return;
        }
        if let Some((ring, setup)) = self.selected_mut()
            && !ring.ready()
        {
            change(setup);
        }
    }

    fn selected(&self) -> Option<(&Queue, &QueueSetup)> {
        let index = usize::try_from(self.queue_sel).ok()?;
        Some((self.rings.get(index)?, self.setups.get(index)?))
    }

    fn selected_mut(&mut self) -> Option<(&mut Queue, &mut QueueSetup)> {
        let index = usize::try_from(self.queue_sel).ok()?;
        Some((self.rings.get_mut(index)?, self.setups.get_mut(index)?))
    }
}

/// Make `ring` what the driver asked for; false when it cannot be, and the ring stays not ready.
pub(super) fn apply(ring: &mut Queue, setup: QueueSetup, mem: &GuestMemoryMmap) -> bool {
    let applied = u16::try_from(setup.size).is_ok_and(|size| ring.try_set_size(size).is_ok())
        && ring
            .try_set_desc_table_address(GuestAddress(setup.desc))
            .is_ok()
        && ring
            .try_set_avail_ring_address(GuestAddress(setup.driver))
            .is_ok()
        && ring
            .try_set_used_ring_address(GuestAddress(setup.device))
            .is_ok();
    // `is_valid` wants a ring that is ready.
    ring.set_ready(applied);
    if applied && !ring.is_valid(mem) {
        ring.set_ready(false);
    }
    ring.ready()
}

fn set(half: Half, address: &mut u64, value: u32) {
    *address = half.replace(*address, value);
}

/// The 32 feature bits of page `sel`.
fn page(features: u64, sel: u32) -> u32 {
    let shift = match sel {
        0 => 0,
        1 => 32,
        _ => return 0,
    };
    u32::try_from((features >> shift) & 0xffff_ffff).unwrap_or(0)
}
