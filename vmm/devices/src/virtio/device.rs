//! What a virtio device is to its transport: the contract between a slot and the device behind it.

use std::os::fd::{BorrowedFd, RawFd};

use thiserror::Error;
use virtio_queue::Queue;
use vm_memory::GuestMemoryMmap;

/// A device found its rings or its driver unusable; the slot goes to `DEVICE_NEEDS_RESET`
/// (virtio 1.2, 2.1.1) and does nothing more until the driver resets it.
#[derive(Debug, Error)]
#[error("queue {queue}: {cause}")]
pub struct DeviceError {
    /// Index of the queue that cannot be used any more.
    pub queue: u16,
    /// What the driver did wrong.
    pub cause: String,
}

/// A line to the guest's interrupt controller: one edge an event. The slot sets its status first.
pub trait InterruptLine: Send + Sync {
    /// Raise the line once. Never blocks and cannot fail in a way that the device could handle.
    fn pulse(&self);
}

/// The rings of an activated device, lent to it for one call.
pub struct Rings<'a> {
    /// Guest memory; every address read from it is the guest's choice.
    pub mem: &'a GuestMemoryMmap,
    /// One ring for each entry of [`VirtioDevice::queue_sizes`].
    pub queues: &'a mut [Queue],
    /// Feature bits that device and driver agreed on (virtio 1.2, 2.2).
    pub features: u64,
    /// Set by the device for each queue whose used ring needs an interrupt
    /// (after `Queue::needs_notification`); the slot pulses once after the call.
    pub interrupt: &'a mut bool,
    /// Set by the device when it stopped before the work was done, so that one busy queue does not
    /// hold the slot's lock and its thread for ever: the call is made again when others had their turn.
    pub again: &'a mut bool,
}

impl std::fmt::Debug for Rings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rings")
            .field("features", &self.features)
            .finish_non_exhaustive()
    }
}

/// A virtio device without its transport. Calls come one at a time (the slot holds a lock around them).
///
/// State that has to survive save and restore is one serde value apart from the resources
/// (files, sockets), which are handed in again at restore.
pub trait VirtioDevice: Send {
    /// What has to be saved beside the transport's registers and rings.
    type State: serde::Serialize + serde::de::DeserializeOwned;

    /// Device ID (virtio 1.2, 5).
    fn device_type(&self) -> u32;

    /// Feature bits offered, `VIRTIO_F_VERSION_1` among them.
    fn features(&self) -> u64;

    /// The largest size of each queue; the length is the number of queues.
    fn queue_sizes(&self) -> &[u16];

    /// Read the configuration space; bytes past its end stay 0.
    fn read_config(&self, offset: u64, data: &mut [u8]);

    /// Write the configuration space; what is not writable is ignored.
    fn write_config(&mut self, _offset: u64, _data: &[u8]) {}

    /// The driver set `DRIVER_OK`.
    fn activate(&mut self, _features: u64) {}

    /// The driver kicked queue `index`, which exists and is ready.
    ///
    /// # Errors
    /// The ring itself is malformed. A malformed request is answered or dropped, and is no error.
    fn process_queue(&mut self, rings: &mut Rings<'_>, index: u16) -> Result<(), DeviceError>;

    /// A descriptor that is readable (level-triggered, may be an epoll set) when the host side has
    /// work for [`Self::process_host`].
    fn host_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The descriptor of [`Self::host_fd`] is readable. `rings` is `None` before activation.
    ///
    /// # Errors
    /// As for [`Self::process_queue`].
    fn process_host(&mut self, _rings: Option<&mut Rings<'_>>) -> Result<(), DeviceError> {
        Ok(())
    }

    /// The driver reset the device: forget everything that belongs to the old driver.
    fn reset(&mut self);

    /// The state to save; the device is quiescent (vCPUs paused, queues drained).
    fn state(&self) -> Self::State;

    /// Take over a saved state, before activation.
    ///
    /// # Errors
    /// A text that names the field and the value that cannot be.
    fn restore(&mut self, state: Self::State) -> Result<(), String>;
}

/// How far one call of a slot came.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left to do until the next kick, or until the host side is ready again.
    Done,
    /// The device stopped before the work was done: the same call has to be made again, after others had their turn.
    More,
}

/// What the VMM sees of any slot: the register file for vCPU threads, queues and host side for workers.
pub trait MmioHandler: Send + Sync {
    /// A guest read of `data.len()` bytes at `offset` in the slot's 4 KiB; anything odd reads 0.
    fn read(&self, offset: u64, data: &mut [u8]);

    /// A guest write at `offset` in the slot's 4 KiB; anything odd is ignored.
    fn write(&self, offset: u64, data: &[u8]);

    /// Number of queues; each gets an ioeventfd on `QueueNotify` with its index as data match.
    fn queue_count(&self) -> u16;

    /// A kick for queue `index` arrived on its eventfd (a write to `QueueNotify` through [`Self::write`] does the same).
    fn process_queue(&self, index: u16) -> Progress;

    /// See [`VirtioDevice::host_fd`]; stays the same for the slot's life.
    fn host_fd(&self) -> Option<RawFd>;

    /// See [`VirtioDevice::process_host`].
    fn process_host(&self) -> Progress;

    /// After a restore, when the interrupt controller has its state too: raise again what is pending
    /// and look at every queue once, because an edge or a kick may have been under way at the save.
    fn resume(&self);
}
