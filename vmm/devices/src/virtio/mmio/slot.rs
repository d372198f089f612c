//! One slot: a device, its transport, its lock and its interrupt.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use vm_memory::GuestMemoryMmap;

use super::registers::{
    CONFIG_SPACE, MAGIC, Register, SLOT_SIZE, VENDOR, VERSION, interrupt, status,
};
use super::state::{RestoreError, SLOT_STATE_VERSION, SlotState, TransportState};
use super::transport::{Effect, Transport};
use crate::virtio::device::{
    DeviceError, InterruptLine, MmioHandler, Progress, Rings, VirtioDevice,
};

/// A device that no transport can serve.
#[derive(Debug, Error)]
pub enum SlotError {
    /// Sizes of queues are powers of two up to 32768 (virtio 1.2, 2.7).
    #[error("device type {device_type}: queue sizes {sizes:?} are not powers of two up to 32768")]
    QueueSizes {
        /// Device ID.
        device_type: u32,
        /// What the device asked for.
        sizes: Vec<u16>,
    },
}

/// A virtio device behind virtio-mmio registers.
///
/// Everything but the interrupt status sits behind one lock that is held for one call of the
/// device. The interrupt status is an atomic beside it: the guest's interrupt handler reads and
/// acknowledges it while the device may be busy with a slow disk.
pub struct MmioSlot<D: VirtioDevice> {
    device_type: u32,
    queue_count: u16,
    host_fd: Option<RawFd>,
    mem: GuestMemoryMmap,
    line: Arc<dyn InterruptLine>,
    interrupt_status: AtomicU32,
    /// Taken before `inner` and given back once `inner` is held: a worker that serves a driver which
    /// never stops to add requests cannot keep the next one from its turn.
    turnstile: Mutex<()>,
    inner: Mutex<Locked<D>>,
}

struct Locked<D> {
    device: D,
    transport: Transport,
}

/// What the device left behind after a call.
#[derive(Default)]
struct Outcome {
    interrupt: bool,
    again: bool,
}

impl<D: VirtioDevice> std::fmt::Debug for MmioSlot<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MmioSlot")
            .field("device_type", &self.device_type)
            .field("interrupt_status", &self.interrupt_status)
            .finish_non_exhaustive()
    }
}

impl<D: VirtioDevice> MmioSlot<D> {
    /// A slot that holds `device`, in its state after power-on.
    ///
    /// # Errors
    /// The device asks for queues that virtio does not have.
    pub fn new(
        device: D,
        mem: GuestMemoryMmap,
        line: Arc<dyn InterruptLine>,
    ) -> Result<Self, SlotError> {
        let device_type = device.device_type();
        let sizes = device.queue_sizes();
        let refused = || SlotError::QueueSizes {
            device_type,
            sizes: sizes.to_vec(),
        };
        let queue_count = u16::try_from(sizes.len()).map_err(|_| refused())?;
        let transport = Transport::new(device.features(), sizes).map_err(|_| refused())?;
        Ok(Self {
            device_type,
            queue_count,
            host_fd: device.host_fd().map(|fd| fd.as_raw_fd()),
            mem,
            line,
            interrupt_status: AtomicU32::new(0),
            turnstile: Mutex::new(()),
            inner: Mutex::new(Locked { device, transport }),
        })
    }

    /// Reach the device itself, for commands of the host (attach a file, read counters).
    pub fn with_device<R>(&self, call: impl FnOnce(&mut D) -> R) -> R {
        call(&mut self.lock().device)
    }

    /// The configuration space has changed: tell the driver, if there is one; one that is still setting the device up,
    /// and may have read the space already, is told when it is done.
    pub fn notify_config_change(&self) {
        let mut inner = self.lock();
        inner.transport.config_changed();
        if inner.transport.driver_ok() {
            drop(inner);
            self.raise(interrupt::CONFIG_CHANGE);
        } else if inner.transport.status & status::DRIVER != 0 {
            self.interrupt_status
                .fetch_or(interrupt::CONFIG_CHANGE, Ordering::SeqCst);
        }
    }

    /// The state to save. vCPUs are paused and the workers of this slot are idle.
    pub fn state(&self) -> SlotState<D::State> {
        let inner = self.lock();
        let pending = self.interrupt_status.load(Ordering::SeqCst);
        SlotState {
            version: SLOT_STATE_VERSION,
            device_type: self.device_type,
            transport: TransportState::of(&inner.transport, pending),
            device: inner.device.state(),
        }
    }

    /// Take over a saved state; the guest's memory holds its rings already. Raises no interrupt:
    /// [`MmioHandler::resume`] does, once the interrupt controller has its state too.
    ///
    /// # Errors
    /// The state was not saved from such a slot; the slot is as after power-on then.
    pub fn restore(&self, state: SlotState<D::State>) -> Result<(), RestoreError> {
        if state.version != SLOT_STATE_VERSION {
            return Err(RestoreError::Version(state.version));
        }
        if state.device_type != self.device_type {
            return Err(RestoreError::DeviceType {
                saved: state.device_type,
                present: self.device_type,
            });
        }
        let mut inner = self.lock();
        inner.device.reset();
        inner.transport.reset();
        self.interrupt_status.store(0, Ordering::SeqCst);
        let pending = state.transport.interrupt_status;
        let fresh = Transport::new(inner.device.features(), inner.device.queue_sizes())
            .map_err(|_| RestoreError::Queue(0))?;
        let transport = state.transport.into_transport(fresh, &self.mem)?;
        inner
            .device
            .restore(state.device)
            .map_err(RestoreError::Device)?;
        if transport.running() {
            inner.device.activate(transport.driver_features);
        }
        inner.transport = transport;
        self.interrupt_status.store(pending, Ordering::SeqCst);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Locked<D>> {
        let _turn = self
            .turnstile
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Status first, then the edge: the handler that the edge starts sees the bit. `SeqCst` orders
    /// the bit after the used ring that it speaks of.
    fn raise(&self, bit: u32) {
        self.interrupt_status.fetch_or(bit, Ordering::SeqCst);
        self.line.pulse();
    }

    /// One call of the device, and the interrupt for what came of it.
    fn serve(
        &self,
        call: impl FnOnce(&mut D, Option<&mut Rings<'_>>) -> Result<(), DeviceError>,
        ready: impl FnOnce(&Transport) -> bool,
    ) -> Progress {
        let mut outcome = Outcome::default();
        let mut broken = false;
        {
            let mut guard = self.lock();
            let inner = &mut *guard;
            let called = if inner.transport.running() {
                if !ready(&inner.transport) {
                    return Progress::Done;
                }
                let mut rings = Rings {
                    mem: &self.mem,
                    queues: &mut inner.transport.rings,
                    features: inner.transport.driver_features,
                    interrupt: &mut outcome.interrupt,
                    again: &mut outcome.again,
                };
                call(&mut inner.device, Some(&mut rings))
            } else {
                call(&mut inner.device, None)
            };
            if let Err(error) = called {
                // The guest can bring this about as often as it likes.
                tracing::debug!(device_type = self.device_type, %error, "device needs reset");
                inner.transport.set_needs_reset();
                broken = inner.transport.driver_ok();
                outcome.again = false;
            }
        }
        if outcome.interrupt {
            self.raise(interrupt::USED_RING);
        }
        if broken {
            self.raise(interrupt::CONFIG_CHANGE);
        }
        if outcome.again {
            Progress::More
        } else {
            Progress::Done
        }
    }

    fn read_register(&self, register: Register) -> u32 {
        match register {
            Register::Magic => MAGIC,
            Register::Version => VERSION,
            Register::DeviceId => self.device_type,
            Register::VendorId => VENDOR,
            Register::InterruptStatus => self.interrupt_status.load(Ordering::SeqCst),
            other => self.lock().transport.read(other),
        }
    }

    fn write_register(&self, register: Register, value: u32) {
        match register {
            Register::InterruptAck => {
                self.interrupt_status.fetch_and(!value, Ordering::SeqCst);
            }
            Register::QueueNotify => {
                // A vCPU gets here only for a queue that has no eventfd, so that there is no worker to go on with it.
                if let Ok(index) = u16::try_from(value) {
                    while self.process_queue(index) == Progress::More {}
                }
            }
            other => self.write_transport(other, value),
        }
    }

    fn write_transport(&self, register: Register, value: u32) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        match inner.transport.write(register, value, &self.mem) {
            Effect::None => {}
            Effect::Activate => {
                inner.transport.set_ring_features();
                inner.device.activate(inner.transport.driver_features);
                // What changed while the driver set the device up.
                if self.interrupt_status.load(Ordering::SeqCst) != 0 {
                    self.line.pulse();
                }
            }
            Effect::Reset => {
                let fresh = inner.transport.status == 0;
                inner.transport.reset();
                self.interrupt_status.store(0, Ordering::SeqCst);
                // Linux resets every device before its first use; there is nothing to forget then.
                if !fresh {
                    inner.device.reset();
                }
            }
        }
    }
}

impl<D: VirtioDevice> MmioHandler for MmioSlot<D> {
    fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        if offset >= SLOT_SIZE {
            return;
        }
        if let Some(config_offset) = offset.checked_sub(CONFIG_SPACE) {
            self.lock().device.read_config(config_offset, data);
        } else if let Some(register) = Register::at(offset, data.len()) {
            data.copy_from_slice(&self.read_register(register).to_le_bytes());
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        if offset >= SLOT_SIZE {
            return;
        }
        if let Some(config_offset) = offset.checked_sub(CONFIG_SPACE) {
            let mut inner = self.lock();
            if inner.transport.status & status::DRIVER != 0 {
                inner.device.write_config(config_offset, data);
            }
        } else if let (Some(register), Ok(bytes)) =
            (Register::at(offset, data.len()), <[u8; 4]>::try_from(data))
        {
            self.write_register(register, u32::from_le_bytes(bytes));
        }
    }

    fn queue_count(&self) -> u16 {
        self.queue_count
    }

    fn process_queue(&self, index: u16) -> Progress {
        self.serve(
            |device, rings| match rings {
                Some(rings) => device.process_queue(rings, index),
                None => Ok(()),
            },
            |transport| {
                let ring = transport.rings.get(usize::from(index));
                ring.is_some_and(virtio_queue::QueueT::ready)
            },
        )
    }

    fn host_fd(&self) -> Option<RawFd> {
        self.host_fd
    }

    fn process_host(&self) -> Progress {
        self.serve(|device, rings| device.process_host(rings), |_| true)
    }

    fn resume(&self) {
        if self.interrupt_status.load(Ordering::SeqCst) != 0 {
            self.line.pulse();
        }
        // No vCPU runs yet, so there is an end to it.
        for index in 0..self.queue_count {
            while self.process_queue(index) == Progress::More {}
        }
        if self.host_fd.is_some() {
            while self.process_host() == Progress::More {}
        }
    }
}
