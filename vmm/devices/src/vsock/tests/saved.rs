//! What outlives save, restore and a driver's reset.

use std::io::Read;

use super::guest::{Machine, READY, config};
use crate::virtio::VirtioDevice;
use crate::vsock::packet::op;

#[test]
fn restored_guest_hears_of_lost_streams_before_new_ones() {
    let mut machine = Machine::ready();
    let (_client, _) = machine.open(1024);
    let state = machine.device.state();
    assert!(state.streams_lost && state.ready);

    let mut restored = Machine::new(config());
    restored.device.restore(state).unwrap();
    restored.device.activate(0);
    let _client = restored.ask(1024);
    assert!(
        restored.driver.received.is_empty(),
        "offered before the guest forgot its streams"
    );
    assert_eq!(restored.driver.take_events(), [0]);
    restored.driver.kick_queue(&mut restored.device, 2).unwrap();
    assert_eq!(restored.packet().0.op, op::REQUEST);
}

#[test]
fn restored_guest_without_streams_hears_nothing() {
    let state = Machine::ready().device.state();
    assert!(!state.streams_lost);
    let mut restored = Machine::new(config());
    restored.device.restore(state).unwrap();
    restored.device.activate(0);
    let _client = restored.ask(1024);
    assert_eq!(restored.packet().0.op, op::REQUEST);
    assert!(restored.driver.take_events().is_empty());
}

#[test]
fn state_survives_its_own_text() {
    let state = Machine::ready().device.state();
    let text = serde_json::to_string(&state).unwrap();
    let back: <crate::vsock::Vsock as VirtioDevice>::State = serde_json::from_str(&text).unwrap();
    assert_eq!(back, state);
}

#[test]
fn restore_of_reserved_cid_is_refused() {
    let mut machine = Machine::new(config());
    let mut state = machine.device.state();
    state.guest_cid = 2;
    assert_eq!(
        machine.device.restore(state).unwrap_err(),
        "guest_cid 2 is reserved"
    );
}

#[test]
fn driver_reset_kills_streams_and_keeps_held_clients() {
    let mut machine = Machine::ready();
    let (mut client, _) = machine.open(1024);
    machine.device.reset();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);

    let mut machine = Machine::new(config());
    let _held = machine.ask(1024);
    machine.device.reset();
    machine.ring(READY);
    let ops: Vec<u16> = machine.driver.received.drain(..).map(|p| p.0.op).collect();
    assert_eq!(ops, [op::RST, op::REQUEST]);
}
