//! The balloon, driven from plain memory; its resource writes down what it is given.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use proptest::prelude::{any, prop};
use proptest::proptest;
use vm_memory::{GuestAddress, GuestMemoryMmap};

use super::{BalloonDevice, BalloonState, ReturnPages};
use crate::virtio::testing::{Buffer, FakeDriver};

const MEM: u64 = 16 << 20;
const HOLE_END: u64 = 1 << 32;
const PAGE: u64 = 4096;

type Ranges = Arc<Mutex<Vec<(u64, u64)>>>;

struct Notebook {
    ranges: Ranges,
    refuses: bool,
}

impl ReturnPages for Notebook {
    fn return_pages(&mut self, start: GuestAddress, bytes: u64) -> io::Result<()> {
        if self.refuses {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        self.ranges.lock().unwrap().push((start.0, bytes));
        Ok(())
    }
}

/// A guest with memory on both sides of a hole.
fn driver_with(refuses: bool) -> (FakeDriver<BalloonDevice>, Ranges) {
    let ranges = Ranges::default();
    let notebook = Notebook {
        ranges: Arc::clone(&ranges),
        refuses,
    };
    let size = usize::try_from(MEM).unwrap();
    let pieces = [(GuestAddress(0), size), (GuestAddress(HOLE_END), size)];
    let mem = GuestMemoryMmap::from_ranges(&pieces).unwrap();
    let device = BalloonDevice::new(Box::new(notebook));
    let mut driver = FakeDriver::in_memory(device, mem);
    driver.start(u64::MAX);
    (driver, ranges)
}

fn driver() -> (FakeDriver<BalloonDevice>, Ranges) {
    driver_with(false)
}

fn reported(addr: u64, len: u64) -> Buffer {
    Buffer {
        addr,
        len: u32::try_from(len).unwrap(),
        writable: true,
    }
}

#[test]
fn report_of_ranges_gives_each_back_and_answers_once() {
    let (mut driver, ranges) = driver();
    let offered = [
        reported(4 << 20, 2 << 20),
        reported(HOLE_END, 4 << 20),
        reported(8 << 20, PAGE),
    ];
    let used = driver.transfer(2, &offered).unwrap();
    assert_eq!(used.len, 0, "nothing is written into reported pages");
    let expected = [(4 << 20, 2 << 20), (HOLE_END, 4 << 20), (8 << 20, PAGE)];
    assert_eq!(*ranges.lock().unwrap(), expected);
    assert_eq!(driver.line.pulses(), 1);
    let returned = driver
        .slot
        .with_device(|device| device.returned_bytes().load(Ordering::Relaxed));
    assert_eq!(returned, (6 << 20) + PAGE);
}

#[test]
fn ranges_that_are_no_pages_of_the_guest_are_left_alone() {
    let (mut driver, ranges) = driver();
    let bad = [
        reported(MEM - PAGE, 2 * PAGE),
        reported(MEM, PAGE),
        reported(HOLE_END - PAGE, 2 * PAGE),
        reported(u64::MAX - PAGE + 1, PAGE),
        reported(u64::MAX - 1, 1 << 30),
        reported(PAGE * 300 + 1, PAGE),
        reported(PAGE * 300, 0),
        Buffer {
            writable: false,
            ..reported(PAGE * 300, PAGE)
        },
    ];
    for buffer in bad {
        assert!(driver.transfer(2, &[buffer]).is_some(), "{buffer:x?}");
    }
    assert_eq!(*ranges.lock().unwrap(), []);
    let refused = driver.slot.with_device(|device| device.refused());
    assert_eq!(refused, 8);
    assert!(!driver.needs_reset());
}

#[test]
fn range_with_ragged_ends_gives_its_whole_pages_only() {
    let (mut driver, ranges) = driver();
    let ragged = reported(PAGE * 300 + 100, PAGE * 3);
    driver.transfer(2, &[ragged]).unwrap();
    assert_eq!(*ranges.lock().unwrap(), [(PAGE * 301, PAGE * 2)]);
}

#[test]
fn host_that_takes_nothing_changes_nothing_for_the_guest() {
    let (mut driver, _) = driver_with(true);
    assert!(driver.transfer(2, &[reported(4 << 20, PAGE)]).is_some());
    let counts = |device: &mut BalloonDevice| {
        let returned = device.returned_bytes().load(Ordering::Relaxed);
        (returned, device.refused())
    };
    assert_eq!(driver.slot.with_device(counts), (0, 1));
}

#[test]
fn inflate_gives_back_runs_of_pages() {
    let (mut driver, ranges) = driver();
    let numbers: Vec<u8> = [1024_u32, 1025, 1026, 2048, 7, u32::MAX]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let request = driver.readable(&numbers);
    driver.transfer(0, &[request]).unwrap();
    let expected = [(4 << 20, 3 * PAGE), (8 << 20, PAGE), (7 * PAGE, PAGE)];
    assert_eq!(*ranges.lock().unwrap(), expected);
    // Deflating needs no word of the device but its answer.
    let request = driver.readable(&numbers);
    driver.transfer(1, &[request]).unwrap();
    assert_eq!(ranges.lock().unwrap().len(), 3);
}

#[test]
fn size_asked_for_is_zero_and_actual_is_the_drivers_and_saved() {
    let (driver, _) = driver();
    assert_eq!(driver.read(0x100), 0);
    driver.write(0x104, 42);
    driver.write(0x100, 7);
    assert_eq!((driver.read(0x100), driver.read(0x104)), (0, 42));
    let state = driver.slot.state();
    assert_eq!(state.device, BalloonState { actual_pages: 42 });
    let (other, _) = self::driver();
    other.slot.restore(state).unwrap();
    assert_eq!(other.read(0x104), 42);
}

proptest! {
    #[test]
    fn any_chain_gives_back_pages_of_the_guest_only(
        queue in 0_u16..3,
        buffers in prop::collection::vec((any::<u64>(), any::<u32>(), any::<bool>(), 0_u8..4), 1..8),
    ) {
        let (mut driver, ranges) = driver();
        let buffers: Vec<_> = buffers
            .into_iter()
            .map(|(addr, len, writable, kind)| Buffer {
                // Near the borders of both pieces more often than anywhere.
                addr: match kind {
                    0 => addr,
                    1 => addr % (2 * MEM),
                    2 => HOLE_END - MEM + addr % (4 * MEM),
                    _ => (addr % (2 * MEM)) & !(PAGE - 1),
                },
                len,
                writable,
            })
            .collect();
        assert!(driver.transfer(queue, &buffers).is_some());
        for (start, bytes) in ranges.lock().unwrap().iter() {
            assert!(*bytes > 0 && start % PAGE == 0 && bytes % PAGE == 0);
            let end = start + bytes;
            assert!(end <= MEM || (*start >= HOLE_END && end <= HOLE_END + MEM));
        }
    }
}
