//! Interrupt lines of the in-kernel chip, each an eventfd that KVM itself listens to.

use husk_devices::virtio::InterruptLine;
use vmm_sys_util::eventfd::EventFd;

/// One device's line. Several lines may lead to one input of the IO-APIC: each is an edge of its own.
#[derive(Debug)]
pub struct IrqLine {
    event: EventFd,
}

impl IrqLine {
    pub(super) fn new(event: EventFd) -> Self {
        Self { event }
    }
}

impl InterruptLine for IrqLine {
    fn pulse(&self) {
        // Fails only when the counter is full: then KVM has an edge pending anyway.
        let _ = self.event.write(1);
    }
}
