//! Who answers at which address and port.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};

use husk_devices::legacy::{PortBus, PortEvents};
use husk_devices::virtio::{InterruptLine, MmioHandler, Progress};

use super::{Bus, PortEffect};
use crate::arch::layout::{MMIO_END, MMIO_SLOT_BYTES, MMIO_START};

/// Answers every load with its own number and the offset; remembers stores.
struct Numbered(u8, Mutex<Vec<(u64, Vec<u8>)>>);

impl Numbered {
    fn new(number: u8) -> Arc<Self> {
        Arc::new(Self(number, Mutex::new(Vec::new())))
    }
}

impl MmioHandler for Numbered {
    fn read(&self, offset: u64, data: &mut [u8]) {
        data.fill(0);
        data[0] = self.0;
        if let Some(byte) = data.get_mut(1) {
            *byte = offset.to_le_bytes()[0];
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        self.1.lock().unwrap().push((offset, data.to_vec()));
    }

    fn queue_count(&self) -> u16 {
        0
    }

    fn process_queue(&self, _index: u16) -> Progress {
        Progress::Done
    }

    fn host_fd(&self) -> Option<RawFd> {
        None
    }

    fn process_host(&self) -> Progress {
        Progress::Done
    }

    fn resume(&self) {}
}

/// A line that leads nowhere.
struct NoLine;

impl InterruptLine for NoLine {
    fn pulse(&self) {}
}

fn ports() -> Arc<PortBus> {
    let events = PortEvents {
        on_line: Box::new(|_| {}),
        on_reset: Box::new(|| {}),
    };
    Arc::new(PortBus::new(Arc::new(NoLine), events))
}

fn slot(number: u64) -> u64 {
    MMIO_START + number * MMIO_SLOT_BYTES
}

fn read<const N: usize>(bus: &Bus, address: u64) -> [u8; N] {
    let mut data = [0xee; N];
    bus.mmio_read(address, &mut data);
    data
}

#[test]
fn each_slot_answers_in_its_own_range_only() {
    let mut bus = Bus::new();
    for number in [2, 0, 1] {
        bus.add_mmio(
            slot(number),
            MMIO_SLOT_BYTES,
            Numbered::new(u8::try_from(number).unwrap()),
        )
        .unwrap();
    }
    assert_eq!(read(&bus, slot(0)), [0, 0]);
    assert_eq!(read(&bus, slot(1) - 2), [0, 0xfe]);
    assert_eq!(read(&bus, slot(1) + 0x50), [1, 0x50]);
    assert_eq!(read(&bus, slot(2)), [2, 0]);
    assert_eq!(read(&bus, slot(3)), [0xff, 0xff]);
    assert_eq!(read(&bus, MMIO_START - 1), [0xff]);
    assert_eq!(read(&bus, u64::MAX), [0xff; 8]);
}

#[test]
fn access_across_a_slots_end_reaches_nobody() {
    let mut bus = Bus::new();
    let device = Numbered::new(7);
    bus.add_mmio(
        slot(0),
        MMIO_SLOT_BYTES,
        Arc::clone(&device) as Arc<dyn MmioHandler>,
    )
    .unwrap();
    assert_eq!(read(&bus, slot(1) - 2), [0xff; 4]);
    bus.mmio_write(slot(1) - 2, &[1, 2, 3, 4]);
    bus.mmio_write(slot(0) + 8, &[5]);
    assert_eq!(*device.1.lock().unwrap(), [(8, vec![5])]);
}

#[test]
fn overlapping_or_misplaced_range_is_refused() {
    let mut bus = Bus::new();
    bus.add_mmio(slot(1), MMIO_SLOT_BYTES, Numbered::new(1))
        .unwrap();
    let places = [
        (slot(1), MMIO_SLOT_BYTES),
        (slot(1) + 0xfff, 1),
        (slot(1) - 1, 2),
        (slot(0), 3 * MMIO_SLOT_BYTES),
        (slot(2), 0),
        (MMIO_START - 1, 1),
        (MMIO_END - 1, 2),
        (u64::MAX, 2),
    ];
    for (base, length) in places {
        let error = bus.add_mmio(base, length, Numbered::new(2)).unwrap_err();
        assert!(error.to_string().contains(&format!("{base:#x}")), "{error}");
    }
    bus.add_mmio(slot(2), MMIO_SLOT_BYTES, Numbered::new(2))
        .unwrap();
    bus.add_mmio(slot(0), MMIO_SLOT_BYTES, Numbered::new(0))
        .unwrap();
}

#[test]
fn console_gets_what_is_written_to_its_port() {
    let ports = ports();
    let mut bus = Bus::new();
    bus.set_ports(Arc::clone(&ports));
    for byte in b"ok" {
        assert_eq!(bus.port_write(0x3f8, &[*byte]), PortEffect::None);
    }
    assert_eq!(ports.console().text(), "ok");
}

#[test]
fn only_the_reset_command_resets() {
    let mut with_ports = Bus::new();
    with_ports.set_ports(ports());
    for bus in [Bus::new(), with_ports] {
        assert_eq!(bus.port_write(0x64, &[0xfe]), PortEffect::Reset);
        assert_eq!(bus.port_write(0x64, &[0xd1]), PortEffect::None);
        assert_eq!(bus.port_write(0x64, &[]), PortEffect::None);
        assert_eq!(bus.port_write(0x60, &[0xfe]), PortEffect::None);
    }
}

#[test]
fn port_without_a_device_reads_all_ones() {
    let bus = Bus::new();
    let mut data = [0; 4];
    bus.port_read(0xcf8, &mut data);
    assert_eq!(data, [0xff; 4]);
    bus.port_read(0x3fd, &mut data);
    assert_eq!(data, [0xff; 4]);
    assert_eq!(bus.port_write(0x80, &[0]), PortEffect::None);
}
