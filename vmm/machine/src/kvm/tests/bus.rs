//! Who answers at which address and port.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};

use husk_devices::virtio::MmioHandler;

use super::{Bus, PortDevice, PortEffect};
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

    fn process_queue(&self, _index: u16) {}

    fn host_fd(&self) -> Option<RawFd> {
        None
    }

    fn process_host(&self) {}

    fn resume(&self) {}
}

/// Each register reads as its number plus 0x40; remembers writes.
#[derive(Default)]
struct Port(Mutex<Vec<(u8, u8)>>);

impl PortDevice for Port {
    fn read(&self, offset: u8) -> u8 {
        0x40 + offset
    }

    fn write(&self, offset: u8, value: u8) {
        self.0.lock().unwrap().push((offset, value));
    }
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
fn serial_ports_are_registers() {
    let port = Arc::new(Port::default());
    let mut bus = Bus::new();
    bus.set_serial(Arc::clone(&port) as Arc<dyn PortDevice>);
    let mut data = [0];
    bus.port_read(0x3fd, &mut data);
    assert_eq!(data, [0x45]);
    assert_eq!(bus.port_write(0x3f8, b"ok"), PortEffect::None);
    assert_eq!(*port.0.lock().unwrap(), [(0, b'o'), (0, b'k')]);
    for outside in [0x3f7, 0x400] {
        bus.port_read(outside, &mut data);
        assert_eq!(data, [0xff]);
    }
}

#[test]
fn only_the_reset_command_resets() {
    let bus = Bus::new();
    assert_eq!(bus.port_write(0x64, &[0xfe]), PortEffect::Reset);
    assert_eq!(bus.port_write(0x64, &[0xd1]), PortEffect::None);
    assert_eq!(bus.port_write(0x60, &[0xfe]), PortEffect::None);
    let mut status = [0xff];
    bus.port_read(0x64, &mut status);
    assert_eq!(status, [0]);
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
