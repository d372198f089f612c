//! Save and restore of a slot.

use super::echo::{Echo, FEATURES};
use crate::virtio::mmio::{QueueRegisters, RestoreError};
use crate::virtio::testing::FakeDriver;
use crate::virtio::{MmioHandler, SlotState};

const MEM: usize = 1 << 20;

fn used_slot() -> FakeDriver<Echo> {
    let mut driver = FakeDriver::started(Echo::default(), MEM, FEATURES);
    let buffer = driver.readable(b"before");
    for _ in 0..21 {
        driver.transfer(0, &[buffer]).unwrap();
    }
    driver
}

fn saved(driver: &FakeDriver<Echo>) -> SlotState<u32> {
    let text = serde_json::to_string(&driver.slot.state()).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A new slot on the same memory, as a restored machine has.
fn successor(old: &FakeDriver<Echo>) -> FakeDriver<Echo> {
    let mut new = FakeDriver::in_memory(Echo::default(), old.mem.clone());
    new.queues = old.queues.clone();
    new
}

#[test]
fn restored_slot_goes_on_where_the_saved_one_stopped() {
    let old = used_slot();
    let mut new = successor(&old);
    new.slot.restore(saved(&old)).unwrap();
    assert_eq!(new.slot.state(), old.slot.state());
    assert_eq!(new.slot.with_device(|d| d.activated_with), Some(FEATURES));
    let question = new.readable(b"after");
    let answer = new.writable(5);
    assert_eq!(new.transfer(0, &[question, answer]).unwrap().len, 5);
    assert_eq!(new.bytes(answer), b"after");
    assert_eq!(new.slot.with_device(|d| d.served), 22);
}

#[test]
fn kick_and_interrupt_under_way_at_the_save_arrive_after_resume() {
    let mut old = used_slot();
    let buffer = old.readable(b"kicked, not served");
    old.queues[0].push(&[buffer]);
    let mut new = successor(&old);
    new.slot.restore(saved(&old)).unwrap();
    assert_eq!(new.line.pulses(), 0);
    new.slot.resume();
    assert!(new.line.pulses() > 0);
    assert_eq!(new.queues[0].pop_used().map(|used| used.len), Some(0));
}

#[test]
fn state_of_an_unused_slot_restores_an_unused_slot() {
    let old = FakeDriver::new(Echo::default(), MEM);
    let mut new = successor(&old);
    new.slot.restore(saved(&old)).unwrap();
    assert_eq!(new.slot.with_device(|d| d.activated_with), None);
    new.start(FEATURES);
}

#[test]
fn state_that_cannot_be_is_refused_by_name() {
    type Change = fn(&mut SlotState<u32>);
    let cases: [(Change, &str); 8] = [
        (|s| s.version = 2, "slot state version 2 is not 1"),
        (
            |s| s.device_type = 2,
            "device type 2 was saved, this slot holds type 32767",
        ),
        (|s| s.transport.status |= 16, "status cannot be 0x1f"),
        (
            |s| s.transport.interrupt_status = 4,
            "interrupt status cannot be 0x4",
        ),
        (
            |s| s.transport.driver_features |= 2,
            "driver features cannot be 0x120000003",
        ),
        (
            |s| s.transport.queues.truncate(1),
            "queue 1 cannot be restored",
        ),
        (
            |s| s.transport.queues[1].used_outside(),
            "queue 1 cannot be restored",
        ),
        (|s| s.device = 1001, "device state: served cannot be 1001"),
    ];
    for (change, text) in cases {
        let old = used_slot();
        let mut state = saved(&old);
        change(&mut state);
        let mut new = successor(&old);
        let error = new.slot.restore(state).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(new.read(0x70), 0);
        new.start(FEATURES);
    }
}

#[test]
fn state_with_an_unknown_field_is_refused() {
    let mut value = serde_json::to_value(used_slot().slot.state()).unwrap();
    value["transport"]["surprise"] = 1.into();
    assert!(serde_json::from_value::<SlotState<u32>>(value).is_err());
}

trait Broken {
    fn used_outside(&mut self);
}

impl Broken for QueueRegisters {
    fn used_outside(&mut self) {
        self.device = 1 << 40;
    }
}

#[test]
fn restore_error_of_a_version_is_typed() {
    let old = used_slot();
    let mut state = saved(&old);
    state.version = 0;
    assert!(matches!(
        old.slot.restore(state),
        Err(RestoreError::Version(0))
    ));
}
