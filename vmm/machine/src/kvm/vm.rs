//! One virtual machine before it runs: memory, interrupt controllers, vCPUs.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use kvm_bindings::{KVM_API_VERSION, KVM_MAX_CPUID_ENTRIES, KVM_PIT_SPEAKER_DUMMY, kvm_pit_config};
use kvm_ioctls::{Cap, IoEventAddress, Kvm, VcpuFd, VmFd};
use vm_memory::GuestMemoryMmap;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::error::VmError;
use super::irq::IrqLine;
use super::memory;
use crate::api::config::{HostKvm, KvmKind};
use crate::arch::{self, layout};
use crate::boot::{self, BootImage, Cmdline};
use crate::interp::Completer;
use crate::sys::{self, SysError};

/// The most vCPUs that the MP table describes beside its IO-APIC.
pub const MAX_VCPUS: u8 = 32;

/// `QueueNotify` of virtio-mmio (virtio 1.2, 4.2.2).
const QUEUE_NOTIFY: u64 = 0x50;

/// What has to live as long as a vCPU can run: KVM maps the memory, and the last reference to the VM's
/// descriptor takes the irqfds and ioeventfds with it.
#[derive(Debug)]
pub(super) struct VmParts {
    pub(super) memory: GuestMemoryMmap,
    pub(super) vm: VmFd,
}

/// A machine that does not run yet.
#[derive(Debug)]
pub struct KvmVm {
    pub(super) parts: Arc<VmParts>,
    pub(super) vcpus: Vec<(VcpuFd, Option<Completer>)>,
}

impl KvmVm {
    /// Make the machine: memory, interrupt chip, timer and vCPUs with their features.
    ///
    /// # Errors
    /// This host's KVM refuses or lacks something, or a size is out of range.
    pub fn new(kvm: OwnedFd, host: &HostKvm, vcpus: u8, memory_mib: u32) -> Result<Self, VmError> {
        let kvm = sys::kvm_from(kvm);
        check_host(&kvm, vcpus)?;
        let memory = memory::map(memory_mib)?;
        let vm = kvm.create_vm().map_err(SysError::kvm("KVM_CREATE_VM"))?;
        sys::set_memory(&vm, &memory)?;
        create_chips(&vm)?;
        // Asked once: the answer takes KVM a tenth of a millisecond.
        let features = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(SysError::kvm("KVM_GET_SUPPORTED_CPUID"))?;
        let mut fds = Vec::with_capacity(usize::from(vcpus));
        for id in 0..vcpus {
            let vcpu = vm
                .create_vcpu(u64::from(id))
                .map_err(SysError::kvm("KVM_CREATE_VCPU"))?;
            arch::prepare_vcpu(&kvm, &vcpu, &features, host.kind, (id, vcpus))?;
            let completer = match host.kind {
                KvmKind::Hardware => None,
                KvmKind::Interpreting => Some(Completer::new(&kvm, &features, memory.clone())),
            };
            fds.push((vcpu, completer));
        }
        arch::write_mp_table(&memory, vcpus)?;
        Ok(Self {
            parts: Arc::new(VmParts { memory, vm }),
            vcpus: fds,
        })
    }

    /// Guest memory; clones share it.
    #[must_use]
    pub fn memory(&self) -> &GuestMemoryMmap {
        &self.parts.memory
    }

    /// Number of vCPUs.
    #[must_use]
    pub fn vcpu_count(&self) -> u8 {
        u8::try_from(self.vcpus.len()).unwrap_or(MAX_VCPUS)
    }

    /// A line to input `gsi` of the IO-APIC. Each call makes a line of its own, also for the same input.
    ///
    /// # Errors
    /// No descriptor is left, or there is no such input.
    pub fn irq_line(&self, gsi: u32) -> Result<IrqLine, VmError> {
        if gsi >= layout::GSI_COUNT {
            return Err(VmError::NoSuchGsi(gsi));
        }
        let event = event_fd()?;
        self.parts
            .vm
            .register_irqfd(&event, gsi)
            .map_err(SysError::kvm("KVM_IRQFD"))?;
        Ok(IrqLine::new(event))
    }

    /// An event for the kicks of queue `queue` of the virtio-mmio device at `mmio_base`: such a write of the
    /// guest never leaves the kernel.
    ///
    /// # Errors
    /// No descriptor is left, or the place is taken.
    pub fn kick(&self, mmio_base: u64, queue: u16) -> Result<EventFd, VmError> {
        let event = event_fd()?;
        let address = IoEventAddress::Mmio(mmio_base + QUEUE_NOTIFY);
        self.parts
            .vm
            .register_ioevent(&event, &address, u32::from(queue))
            .map_err(SysError::kvm("KVM_IOEVENTFD"))?;
        Ok(event)
    }

    /// Load kernel, initramfs and command line, and set the first vCPU to the kernel's first instruction.
    ///
    /// # Errors
    /// A boot file is refused, or KVM refuses the registers.
    pub fn load(
        &self,
        kernel: BootImage<'_>,
        initramfs: BootImage<'_>,
        cmdline: &Cmdline,
    ) -> Result<(), VmError> {
        let entry = boot::load(&self.parts.memory, kernel, initramfs, cmdline)?;
        if let Some((boot_cpu, _)) = self.vcpus.first() {
            arch::start_at(&self.parts.memory, boot_cpu, entry)?;
        }
        Ok(())
    }
}

fn check_host(kvm: &Kvm, vcpus: u8) -> Result<(), VmError> {
    let version = kvm.get_api_version();
    if u32::try_from(version) != Ok(KVM_API_VERSION) {
        return Err(VmError::ApiVersion(version));
    }
    let needed = [
        (Cap::Irqchip, "KVM_CAP_IRQCHIP"),
        (Cap::Irqfd, "KVM_CAP_IRQFD"),
        (Cap::Ioeventfd, "KVM_CAP_IOEVENTFD"),
        (Cap::Pit2, "KVM_CAP_PIT2"),
        (Cap::ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
        (Cap::UserMemory, "KVM_CAP_USER_MEMORY"),
        (Cap::ExtCpuid, "KVM_CAP_EXT_CPUID"),
    ];
    for (cap, name) in needed {
        if !kvm.check_extension(cap) {
            return Err(VmError::MissingCapability(name));
        }
    }
    let max = kvm.get_max_vcpus().min(usize::from(MAX_VCPUS));
    if vcpus == 0 || usize::from(vcpus) > max {
        return Err(VmError::VcpuCount { asked: vcpus, max });
    }
    Ok(())
}

fn create_chips(vm: &VmFd) -> Result<(), SysError> {
    vm.set_identity_map_address(layout::IDENTITY_MAP)
        .map_err(SysError::kvm("KVM_SET_IDENTITY_MAP_ADDR"))?;
    vm.set_tss_address(usize::try_from(layout::TSS).unwrap_or(usize::MAX))
        .map_err(SysError::kvm("KVM_SET_TSS_ADDR"))?;
    vm.create_irq_chip()
        .map_err(SysError::kvm("KVM_CREATE_IRQCHIP"))?;
    let pit = kvm_pit_config {
        flags: KVM_PIT_SPEAKER_DUMMY,
        ..Default::default()
    };
    vm.create_pit2(pit)
        .map_err(SysError::kvm("KVM_CREATE_PIT2"))
}

fn event_fd() -> Result<EventFd, SysError> {
    EventFd::new(EFD_NONBLOCK).map_err(SysError::host("eventfd"))
}
