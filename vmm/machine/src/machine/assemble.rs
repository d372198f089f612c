//! Devices in their slots, slots on the bus, kicks and host sides with their workers.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;

use husk_devices::balloon::BalloonDevice;
use husk_devices::block::BlockDevice;
use husk_devices::legacy::{ConsoleTail, PortBus, PortEvents};
use husk_devices::net::NetDevice;
use husk_devices::rng::RngDevice;
use husk_devices::virtio::{InterruptLine, MmioHandler, MmioSlot, VirtioDevice};
use husk_devices::vsock::{self, Vsock};

use super::console::last_words;
use super::error::MachineError;
use super::gauge::monotonic_us;
use super::news::News;
use super::slots::{Blocks, Device, NewNic, Nics, Place, device_class, places};
use crate::api::MachineConfig;
use crate::api::config::{BootFile, NicConfig, VsockConfig};
use crate::arch::layout;
use crate::boot::{BootImage, Cmdline};
use crate::interp;
use crate::kvm::{Bus, KvmVm, UnusedPages};
use crate::process::Worker;
use crate::process::launch::Descriptors;

/// Words for every host: errors on the console, which is cheap as long as there are none. The configuration's words take
/// their place. ramfs: the agent keeps the pages that it was loaded into (kernel patch 0014).
const BASE_WORDS: [&str; 3] = ["console=ttyS0", "loglevel=1", "rootfstype=ramfs"];

/// What the balloon has given back.
pub(super) type ReturnedBytes = Arc<AtomicU64>;

/// A machine that could run.
#[derive(Debug)]
pub(super) struct Assembled {
    pub(super) vm: KvmVm,
    pub(super) bus: Bus,
    pub(super) blocks: Blocks,
    pub(super) nics: Nics,
    pub(super) returned: Option<ReturnedBytes>,
    pub(super) console: ConsoleTail,
    /// Vsock and entropy; the control connections come to it.
    pub(super) io_worker: Worker,
    /// Block slots and the balloon: a slow disk stalls nothing else.
    pub(super) block_worker: Worker,
    /// Net slots, if there are any: frames keep nobody else from its turn.
    pub(super) net_worker: Option<Worker>,
}

/// Build everything that the configuration asks for.
pub(super) fn assemble(
    config: &MachineConfig,
    fds: Descriptors,
    news: &Sender<News>,
) -> Result<Assembled, MachineError> {
    let vm = KvmVm::new(fds.kvm, &config.host, config.vcpus, config.memory_mib)?;
    let places = places(config);
    let kernel = boot_image(&fds.kernel, &config.kernel);
    let initramfs = boot_image(&fds.initramfs, &config.initramfs);
    vm.load(kernel, initramfs, &command_line(config, &places)?)?;
    let worker = || Worker::new().map_err(MachineError::host("epoll"));
    let (bus, console) = bus_with_console(&vm, news)?;
    let mut machine = Assembled {
        vm,
        bus,
        blocks: Blocks::default(),
        nics: Nics::default(),
        returned: None,
        console,
        io_worker: worker()?,
        block_worker: worker()?,
        net_worker: (config.net_slots > 0).then(worker).transpose()?,
    };
    let mut vsock = config.vsock.as_ref().zip(fds.vsock);
    for place in places {
        match place.device {
            Device::Vsock => {
                if let Some((config, listener)) = vsock.take() {
                    let device = Vsock::new(
                        vsock_config(config),
                        listener.into(),
                        doorbell(news.clone()),
                    )?;
                    let slot = machine.slot(place, device)?;
                    machine.connect(place, slot, Thread::Io)?;
                }
            }
            Device::Rng => {
                let slot = machine.slot(place, RngDevice::default())?;
                machine.connect(place, slot, Thread::Io)?;
            }
            Device::Balloon => {
                let pages = UnusedPages::new(machine.vm.memory().clone());
                let device = BalloonDevice::new(Box::new(pages));
                machine.returned = Some(device.returned_bytes());
                let slot = machine.slot(place, device)?;
                // Memory is given back beside the disks: it takes milliseconds, and streams do not wait for it.
                machine.connect(place, slot, Thread::Block)?;
            }
            Device::Net(_) => {
                let device = NetDevice::new().map_err(MachineError::host("epoll of a net slot"))?;
                let slot = machine.slot(place, device)?;
                machine.nics.push(Arc::clone(&slot));
                machine.connect(place, slot, Thread::Net)?;
            }
            Device::Block(class, _) => {
                let slot = machine.slot(place, BlockDevice::new(device_class(class)))?;
                machine.blocks.push(class, Arc::clone(&slot));
                machine.connect(place, slot, Thread::Block)?;
            }
        }
    }
    for (index, (drive, file)) in config.drives.iter().zip(fds.drives).enumerate() {
        let place = (drive.class, drive.slot);
        let attached = machine.blocks.attach(place, file, &drive.serial);
        attached.map_err(|source| MachineError::Drive { index, source })?;
    }
    attach_nics(&mut machine.nics, &config.nics, fds.nics)?;
    Ok(machine)
}

fn attach_nics(
    slots: &mut Nics,
    nics: &[NicConfig],
    taps: Vec<OwnedFd>,
) -> Result<(), MachineError> {
    for (index, (nic, tap)) in nics.iter().zip(taps).enumerate() {
        let (mac, mtu) = (nic.mac.as_str(), nic.mtu);
        let attached = slots.attach(nic.slot, NewNic { tap, mac, mtu });
        attached.map_err(|source| MachineError::Nic { index, source })?;
    }
    Ok(())
}

/// Who serves a slot.
#[derive(Clone, Copy)]
enum Thread {
    Io,
    Block,
    Net,
}

impl Assembled {
    fn slot<D: VirtioDevice>(
        &self,
        place: Place,
        device: D,
    ) -> Result<Arc<MmioSlot<D>>, MachineError> {
        let line: Arc<dyn InterruptLine> = Arc::new(self.vm.irq_line(place.gsi)?);
        let memory = self.vm.memory().clone();
        Ok(Arc::new(MmioSlot::new(device, memory, line)?))
    }

    fn connect(
        &mut self,
        place: Place,
        slot: Arc<dyn MmioHandler>,
        thread: Thread,
    ) -> Result<(), MachineError> {
        let kicks = (0..slot.queue_count())
            .map(|queue| self.vm.kick(place.base, queue))
            .collect::<Result<Vec<_>, _>>()?;
        let length = layout::MMIO_SLOT_BYTES;
        self.bus.add_mmio(place.base, length, Arc::clone(&slot))?;
        let worker = match thread {
            Thread::Io => &mut self.io_worker,
            Thread::Block => &mut self.block_worker,
            Thread::Net => self.net_worker.as_mut().unwrap_or(&mut self.io_worker),
        };
        worker
            .add_slot(slot, kicks)
            .map_err(MachineError::host("epoll of a device"))
    }
}

fn boot_image<'a>(file: &'a File, boot: &'a BootFile) -> BootImage<'a> {
    BootImage {
        file,
        sha256: &boot.sha256,
        name: &boot.name,
    }
}

fn command_line(config: &MachineConfig, places: &[Place]) -> Result<Cmdline, MachineError> {
    let mut line = Cmdline::new();
    line.words(&config.extra_cmdline)?;
    let key = |word: &str| word.split('=').next().map(str::to_owned);
    let given: Vec<_> = config
        .extra_cmdline
        .split_ascii_whitespace()
        .map(key)
        .collect();
    for word in BASE_WORDS {
        if !given.contains(&key(word)) {
            line.word(word)?;
        }
    }
    interp::add_boot_words(&config.host, &mut line)?;
    for place in places {
        line.virtio_mmio(place.base, place.gsi)?;
    }
    Ok(line)
}

fn vsock_config(config: &VsockConfig) -> vsock::VsockConfig {
    vsock::VsockConfig {
        guest_cid: config.guest_cid,
        doorbells: vsock::Doorbells {
            started: config.doorbells.started_port,
            ready: config.doorbells.ready_port,
        },
        limits: vsock::Limits::default(),
    }
}

fn doorbell(news: Sender<News>) -> Box<dyn Fn(vsock::Doorbell) + Send> {
    Box::new(move |bell| {
        let at_us = monotonic_us();
        // Without an owner the machine is at its end.
        let _ = news.send(News::Doorbell { bell, at_us });
    })
}

fn bus_with_console(vm: &KvmVm, news: &Sender<News>) -> Result<(Bus, ConsoleTail), MachineError> {
    let words = news.clone();
    let events = PortEvents {
        on_line: Box::new(move |line| {
            if let Some(said) = last_words(line) {
                // Without an owner the machine is at its end.
                let _ = words.send(News::LastWords(said));
            }
        }),
        // The reset line is the bus's own: a vCPU that pulls it must not run on.
        on_reset: Box::new(|| {}),
    };
    let line = Arc::new(vm.irq_line(layout::SERIAL_GSI)?);
    let ports = PortBus::new(line, events);
    let tail = ports.console();
    let mut bus = Bus::new();
    bus.set_ports(Arc::new(ports));
    Ok((bus, tail))
}
