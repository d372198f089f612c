//! How streams begin and end.

use std::io::{Read, Write};
use std::net::Shutdown;

use super::guest::{Machine, READY, STARTED, config, line};
use crate::vsock::Doorbell;
use crate::vsock::packet::{SHUT_BOTH, SHUT_SEND, op};

#[test]
fn connect_accepted_by_guest_carries_bytes_both_ways() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    client.write_all(b"to the guest").unwrap();
    let (header, payload) = machine.packet();
    assert_eq!((header.op, header.dst_port), (op::RW, 1024));
    assert_eq!(payload, b"to the guest");
    machine.send(&stream.header(op::RW, 11, 0), b"to the host");
    machine.run();
    let mut bytes = [0; 11];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"to the host");
}

#[test]
fn connect_refused_by_guest_closes_client() {
    let mut machine = Machine::ready();
    let mut client = machine.ask(7);
    let (request, _) = machine.packet();
    machine.send(&request.reset_reply().unwrap(), &[]);
    machine.run();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn connects_before_ready_are_offered_at_ready() {
    let mut machine = Machine::new(config());
    let client = machine.ask(1024);
    machine.run();
    assert!(machine.driver.received.is_empty());
    machine.ring(STARTED);
    machine.ring(READY);
    let ops: Vec<u16> = machine.driver.received.drain(..).map(|p| p.0.op).collect();
    assert_eq!(ops, [op::RST, op::RST, op::REQUEST]);
    drop(client);
}

#[test]
fn doorbells_are_reported_once_and_refused_always() {
    let mut machine = Machine::new(config());
    for port in [STARTED, STARTED, READY, READY, STARTED] {
        machine.ring(port);
        assert_eq!(machine.packet().0.op, op::RST);
    }
    let rung: Vec<Doorbell> = machine.doorbells.try_iter().collect();
    assert_eq!(rung, [Doorbell::Started, Doorbell::Ready]);
}

#[test]
fn client_half_close_reaches_guest_and_leaves_the_way_back() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    client.write_all(b"last").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(machine.packet().1, b"last");
    let (header, _) = machine.packet();
    assert_eq!((header.op, header.flags), (op::SHUTDOWN, SHUT_SEND));
    machine.send(&stream.header(op::RW, 3, 0), b"yes");
    machine.send(&stream.header(op::SHUTDOWN, 0, SHUT_BOTH), &[]);
    assert_eq!(machine.packet().0.op, op::RST);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"yes");
}

#[test]
fn client_close_reaches_guest_as_full_close_after_its_bytes() {
    let mut machine = Machine::ready();
    let (mut client, _) = machine.open(1024);
    client.write_all(b"last").unwrap();
    drop(client);
    assert_eq!(machine.packet().1, b"last");
    let (header, _) = machine.packet();
    assert_eq!((header.op, header.flags), (op::SHUTDOWN, SHUT_BOTH));
    assert!(machine.driver.received.is_empty());
}

#[test]
fn guest_half_close_reaches_client_and_leaves_the_way_to_the_guest() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    machine.send(&stream.header(op::RW, 4, 0), b"last");
    machine.send(&stream.header(op::SHUTDOWN, 0, SHUT_SEND), &[]);
    machine.run();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"last");
    client.write_all(b"more").unwrap();
    assert_eq!(machine.packet().1, b"more");
}

#[test]
fn guest_close_with_unheard_bytes_is_an_end_and_no_failure() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    machine.send(&stream.header(op::RW, 4, 0), b"last");
    machine.run();
    // Too many for the guest's credit: most of it stays in the socket.
    client.set_nonblocking(true).unwrap();
    while client.write(&[0; 4096]).is_ok() {}
    client.set_nonblocking(false).unwrap();
    machine.send(&stream.header(op::SHUTDOWN, 0, SHUT_BOTH), &[]);
    machine.run();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"last");
}

#[test]
fn packet_for_unknown_stream_gets_reset_and_a_reset_gets_nothing() {
    let mut machine = Machine::ready();
    let (_client, stream) = machine.open(1024);
    let mut header = stream.header(op::RW, 0, 0);
    header.dst_port += 1;
    machine.send(&header, &[]);
    let (reply, _) = machine.packet();
    assert_eq!(reply.op, op::RST);
    assert_eq!(reply.src_port, header.dst_port);
    header.op = op::RST;
    machine.send(&header, &[]);
    machine.run();
    assert!(machine.driver.received.is_empty());
}

#[test]
fn held_client_that_writes_early_keeps_its_bytes() {
    let mut machine = Machine::new(config());
    let mut client = machine.connect();
    client.write_all(b"CONNECT 9\nearly").unwrap();
    machine.ring(READY);
    assert_eq!(machine.packet().0.op, op::RST);
    let (request, _) = machine.packet();
    machine.accept(&request);
    assert_eq!(line(&client), format!("OK {}\n", request.src_port));
    assert_eq!(machine.packet().1, b"early");
}

#[test]
fn payload_in_many_pieces_is_put_together_and_its_descriptors_come_back() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    let payload: Vec<u8> = (0..=255).cycle().take(17 * 1000).collect();
    for _ in 0..3 {
        let before = machine.driver.interrupts;
        let header = stream.header(op::RW, payload.len(), 0);
        machine.driver.send_in_pieces(&header, &payload, 1000);
        machine.driver.kick(&mut machine.device).unwrap();
        // Three such packets fill the ring: Linux could not send a fourth and would wait for this.
        assert_eq!(machine.driver.interrupts, before + 1);
        let mut bytes = vec![0; payload.len()];
        client.read_exact(&mut bytes).unwrap();
        assert!(bytes == payload);
    }
}

#[test]
fn small_packets_of_the_guest_bring_few_interrupts() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    let before = machine.driver.interrupts;
    for _ in 0..64 {
        machine.send(&stream.header(op::RW, 4, 0), b"ping");
        machine.driver.kick(&mut machine.device).unwrap();
    }
    assert_eq!(machine.driver.interrupts - before, 8);
    client.read_exact(&mut [0; 256]).unwrap();
}
