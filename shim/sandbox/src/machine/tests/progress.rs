//! The judgement over a guest's progress, with a clock and a counter of our own.

use std::time::{Duration, Instant};

use husk_machine::api::config::KvmKind;

use crate::machine::{GuestLimit, Stalled, progress::Watch};

const LIMIT: GuestLimit = GuestLimit {
    instructions: 1000,
    wall: Duration::from_secs(10),
};

fn at(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn interpreted_guest_that_moves_has_any_time() {
    let start = Instant::now();
    let mut watch = Watch::new(KvmKind::Interpreting, LIMIT, start);
    for step in 0..900 {
        watch.look(at(start, step * 50), 5000 + step).unwrap();
    }
}

#[test]
fn interpreted_guest_that_stands_still_is_stuck() {
    let start = Instant::now();
    let mut watch = Watch::new(KvmKind::Interpreting, LIMIT, start);
    watch.look(start, 5).unwrap();
    watch.look(at(start, 60), 5).unwrap();
    let stalled = watch.look(at(start, 61), 5).unwrap_err();
    assert_eq!(stalled, Stalled::Standstill { seconds: 61, at: 5 });
}

#[test]
fn guest_that_never_executed_anything_is_stuck() {
    let start = Instant::now();
    let mut watch = Watch::new(KvmKind::Interpreting, LIMIT, start);
    watch.look(start, 0).unwrap();
    assert!(watch.look(at(start, 61), 0).is_err());
}

#[test]
fn interpreted_guest_that_uses_up_its_instructions_is_stuck() {
    let start = Instant::now();
    let mut watch = Watch::new(KvmKind::Interpreting, LIMIT, start);
    watch.look(start, 5000).unwrap();
    watch.look(at(start, 1), 6000).unwrap();
    let stalled = watch.look(at(start, 2), 6001).unwrap_err();
    let expected = Stalled::Instructions {
        used: 1001,
        limit: 1000,
    };
    assert_eq!(stalled, expected);
}

#[test]
fn guest_on_hardware_is_measured_in_wall_time() {
    let start = Instant::now();
    let mut watch = Watch::new(KvmKind::Hardware, LIMIT, start);
    watch.look(at(start, 10), 0).unwrap();
    assert_eq!(
        watch.look(at(start, 11), 0).unwrap_err(),
        Stalled::Wall { seconds: 10 }
    );
}
