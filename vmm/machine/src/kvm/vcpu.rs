//! One vCPU: run until something ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kvm_ioctls::{VcpuExit, VcpuFd};

use super::bus::{Bus, PortEffect};
use crate::interp::Completer;
use crate::sys::{self, InternalError};

/// What ends a machine, as a vCPU sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VcpuEvent {
    /// The guest pulled the reset line of the keyboard controller.
    Reset,
    /// A vCPU shut down (triple fault).
    TripleFault {
        /// Which one.
        vcpu: u8,
    },
    /// KVM cannot go on with the guest; the text says why and where.
    Failed(String),
}

/// Counters of one vCPU, read by other threads.
#[derive(Debug, Default)]
pub(super) struct VcpuCounters {
    pub(super) exits: AtomicU64,
    pub(super) completed: AtomicU64,
}

/// Whether to call `KVM_RUN` again.
#[derive(Debug)]
pub(super) enum Step {
    /// The exit is dealt with.
    Continue,
    /// A signal or nothing at all: look at what is asked of this thread.
    Interrupted,
    /// The machine ends.
    End(VcpuEvent),
}

/// A vCPU in its thread.
#[derive(Debug)]
pub(super) struct Vcpu {
    pub(super) id: u8,
    pub(super) fd: VcpuFd,
    pub(super) bus: Arc<Bus>,
    /// On an interpreting KVM only.
    pub(super) completer: Option<Completer>,
    pub(super) counters: Arc<VcpuCounters>,
}

impl Vcpu {
    /// Run the guest until the next exit and answer it.
    pub(super) fn step(&mut self) -> Step {
        let exit = match self.fd.run() {
            Ok(exit) => exit,
            Err(e) if matches!(e.errno(), libc::EINTR | libc::EAGAIN) => return Step::Interrupted,
            Err(e) => return self.failed(&format!("KVM_RUN: {e}")),
        };
        self.counters.exits.fetch_add(1, Ordering::Relaxed);
        match exit {
            VcpuExit::MmioRead(address, data) => self.bus.mmio_read(address, data),
            VcpuExit::MmioWrite(address, data) => self.bus.mmio_write(address, data),
            VcpuExit::IoIn(port, data) => self.bus.port_read(port, data),
            VcpuExit::IoOut(port, data) => {
                if self.bus.port_write(port, data) == PortEffect::Reset {
                    return Step::End(VcpuEvent::Reset);
                }
            }
            VcpuExit::Shutdown => return Step::End(VcpuEvent::TripleFault { vcpu: self.id }),
            VcpuExit::Intr | VcpuExit::IrqWindowOpen => return Step::Interrupted,
            VcpuExit::InternalError => return self.complete(),
            other => {
                let text = format!("unexpected exit {other:?}");
                return self.failed(&text);
            }
        }
        Step::Continue
    }

    /// Finish what the last exit began (a load's value reaches its register), without running further.
    pub(super) fn settle(&mut self) -> Step {
        self.fd.set_kvm_immediate_exit(1);
        let end = loop {
            match self.step() {
                Step::Continue => {}
                end => break end,
            }
        };
        self.fd.set_kvm_immediate_exit(0);
        end
    }

    fn complete(&mut self) -> Step {
        let error = sys::internal_error(&mut self.fd);
        let Some(completer) = &mut self.completer else {
            return self.failed(&internal_error_text(error));
        };
        if error.suberror != kvm_bindings::KVM_INTERNAL_ERROR_EMULATION {
            return self.failed(&internal_error_text(error));
        }
        match completer.complete(&self.fd) {
            Ok(()) => {
                self.counters.completed.fetch_add(1, Ordering::Relaxed);
                Step::Continue
            }
            Err(e) => self.failed(&e.to_string()),
        }
    }

    fn failed(&self, what: &str) -> Step {
        let place = match self.fd.get_regs() {
            Ok(regs) => format!("rip {:#x}", regs.rip),
            Err(e) => format!("rip unknown: {e}"),
        };
        Step::End(VcpuEvent::Failed(format!(
            "vcpu {}: {what}, {place}",
            self.id
        )))
    }
}

fn internal_error_text(error: InternalError) -> String {
    format!(
        "kvm internal error {} with data {:x?}",
        error.suberror, error.data
    )
}
