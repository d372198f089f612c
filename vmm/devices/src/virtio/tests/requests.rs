//! Rings in use: requests, interrupts, suppression of both, and drivers that lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use proptest::prelude::{ProptestConfig, any, prop, proptest};
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;

use super::echo::{Echo, FEATURES};
use crate::virtio::testing::{Buffer, FakeDriver};
use crate::virtio::{MmioHandler, Progress};

const MEM: usize = 1 << 20;
const NO_EVENT_IDX: u64 = !(1 << VIRTIO_RING_F_EVENT_IDX);

fn started(features: u64) -> FakeDriver<Echo> {
    FakeDriver::started(Echo::default(), MEM, features)
}

#[test]
fn request_is_answered_with_one_interrupt() {
    for features in [FEATURES, FEATURES & NO_EVENT_IDX] {
        let mut driver = started(features);
        let question = driver.readable(b"hello");
        let answer = driver.writable(5);
        let used = driver.transfer(0, &[question, answer]).unwrap();
        assert_eq!((used.head, used.len), (0, 5));
        assert_eq!(driver.bytes(answer), b"hello");
        assert_eq!(driver.line.pulses(), 1);
        assert_eq!(driver.acknowledge(), 1);
        assert_eq!(driver.read(0x60), 0);
    }
}

#[test]
fn requests_offered_together_bring_one_interrupt() {
    let mut driver = started(FEATURES);
    let buffer = driver.readable(b"x");
    for _ in 0..16 {
        driver.queues[0].push(&[buffer]);
    }
    driver.kick(0);
    assert_eq!(driver.queues[0].used_index(), 16);
    assert_eq!(driver.line.pulses(), 1);
}

/// The device holds the slot's lock for as long as a disk takes; the guest's handler must not wait.
#[test]
fn interrupt_is_acknowledged_while_the_device_is_busy() {
    let mut driver = started(FEATURES);
    let buffer = driver.readable(b"x");
    driver.transfer(0, &[buffer]).unwrap();
    let slot = driver.slot.clone();
    slot.with_device(|_busy| {
        assert_eq!(driver.acknowledge(), 1);
        assert_eq!(driver.read(0x60), 0);
    });
}

#[test]
fn used_event_ahead_suppresses_the_interrupt() {
    let mut driver = started(FEATURES);
    driver.queues[0].set_used_event(2);
    let buffer = driver.readable(b"x");
    for expected in [0, 0, 1] {
        driver.transfer(0, &[buffer]).unwrap();
        assert_eq!(driver.line.pulses(), expected);
    }
}

#[test]
fn avail_event_follows_what_was_served() {
    let mut driver = started(FEATURES);
    let buffer = driver.readable(b"x");
    for served in 1..40 {
        driver.transfer(0, &[buffer]).unwrap();
        assert_eq!(driver.queues[0].avail_event(), served);
    }
}

#[test]
fn kick_of_a_queue_that_does_not_exist_is_ignored() {
    let driver = started(FEATURES);
    driver.kick(2);
    driver.write(0x50, u32::MAX);
    let _ = driver.slot.process_queue(u16::MAX);
    assert!(!driver.needs_reset());
}

#[test]
fn kick_before_driver_ok_is_ignored() {
    let mut driver = FakeDriver::new(Echo::default(), MEM);
    driver.negotiate(u64::MAX);
    driver.set_up_queues(u16::MAX);
    let buffer = driver.readable(b"x");
    assert_eq!(driver.transfer(0, &[buffer]), None);
}

#[test]
fn avail_index_too_far_ahead_needs_reset() {
    let driver = started(FEATURES);
    driver.queues[0].set_avail_index(17);
    driver.kick(0);
    assert!(driver.needs_reset());
    assert_eq!(driver.acknowledge(), 2, "the driver is told");
}

#[test]
fn head_outside_of_the_table_needs_reset() {
    let mut driver = started(FEATURES);
    driver.queues[0].offer(16);
    driver.kick(0);
    assert!(driver.needs_reset());
}

#[test]
fn reset_revives_a_device_that_needs_it() {
    let mut driver = started(FEATURES);
    driver.queues[0].offer(16);
    driver.kick(0);
    driver.start(FEATURES);
    let buffer = driver.readable(b"x");
    assert!(driver.transfer(0, &[buffer]).is_some());
}

#[test]
fn looped_chain_ends() {
    let mut driver = started(FEATURES);
    let buffer = driver.readable(b"x");
    driver.queues[0].write_descriptor(0x1000, 0, buffer, 1, 0);
    driver.queues[0].offer(0);
    driver.kick(0);
    assert_eq!(driver.queues[0].pop_used().unwrap().len, 0);
}

/// The race that `enable_notification` closes: a request added between the last look at the ring and
/// the new `avail_event` brings no kick. Driver and device run at the same time; the driver kicks only
/// when the device asked for it, as Linux does, and every request has to come back.
#[test]
fn no_request_is_lost_when_driver_and_device_race() {
    const REQUESTS: u16 = 20_000;
    let mut driver = started(FEATURES);
    let slot = driver.slot.clone();
    let kicked = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
    let done = Arc::new(AtomicBool::new(false));
    let worker = {
        let (kicked, done) = (kicked.clone(), done.clone());
        std::thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let mut guard = kicked.0.lock().unwrap();
                while !*guard {
                    guard = kicked.1.wait(guard).unwrap();
                }
                *guard = false;
                drop(guard);
                while slot.process_queue(0) == Progress::More {}
            }
        })
    };
    let kick = || {
        *kicked.0.lock().unwrap() = true;
        kicked.1.notify_one();
    };
    let buffer = driver.readable(b"x");
    let (mut offered, mut returned) = (0_u16, 0_u16);
    while returned < REQUESTS {
        while offered < REQUESTS && offered - returned < 16 {
            driver.queues[0].push(&[buffer]);
            offered += 1;
            fence(Ordering::SeqCst);
            if driver.queues[0].avail_event() == offered.wrapping_sub(1) {
                kick();
            }
        }
        while driver.queues[0].pop_used().is_some() {
            returned += 1;
        }
    }
    done.store(true, Ordering::SeqCst);
    kick();
    worker.join().unwrap();
    assert_eq!(driver.slot.with_device(|d| d.served), u32::from(REQUESTS));
}

/// A driver that adds a request for each one that is served: the lock is handed to others in between.
#[test]
fn endless_driver_does_not_keep_others_out() {
    let driver = started(FEATURES);
    let stop = Arc::new(AtomicBool::new(false));
    let feeder = {
        let (stop, mut queue) = (stop.clone(), driver.queues[0].clone());
        std::thread::spawn(move || {
            let buffer = Buffer {
                addr: 0x3_0000,
                len: 1,
                writable: false,
            };
            let mut in_flight = 0;
            while !stop.load(Ordering::SeqCst) {
                while in_flight < 16 {
                    queue.push(&[buffer]);
                    in_flight += 1;
                }
                while queue.pop_used().is_some() {
                    in_flight -= 1;
                }
            }
        })
    };
    let worker = {
        let (stop, slot) = (stop.clone(), driver.slot.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                while slot.process_queue(0) == Progress::More {}
            }
        })
    };
    let mut last = 0;
    for _ in 0..100 {
        last = driver.slot.with_device(|d| d.served).max(last);
    }
    stop.store(true, Ordering::SeqCst);
    feeder.join().unwrap();
    worker.join().unwrap();
    assert!(!driver.needs_reset());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_register_accesses_never_panic(
        accesses in prop::collection::vec(
            (any::<bool>(), 0_u64..0x1010, 0_usize..9, prop::sample::select(vec![0_u32, 1, 3, 11, 15, 64, 128, 0x1000, 0xffff_ffff]), any::<bool>()),
            0..200,
        ),
    ) {
        let driver = FakeDriver::new(Echo::default(), MEM);
        for (is_write, offset, len, value, aligned) in accesses {
            let (offset, len) = if aligned { (offset & !3, 4) } else { (offset, len) };
            if is_write {
                let mut bytes = value.to_le_bytes().to_vec();
                bytes.resize(len, 0);
                driver.slot.write(offset, &bytes);
            } else {
                driver.slot.read(offset, &mut vec![0; len]);
            }
        }
        // Whatever came before, a reset brings back a working device.
        let mut driver = driver;
        driver.start(u64::MAX);
        let buffer = driver.readable(b"alive");
        assert!(driver.transfer(0, &[buffer]).is_some());
    }
}
