//! Clients and guests that do not keep to the rules.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::driver::readable;
use super::guest::{CID, Machine, READY, config};
use crate::vsock::host::handshake::{Handshake, parse};
use crate::vsock::packet::{HEADER_LEN, SHUT_BOTH, op};
use crate::vsock::{Limits, Vsock, VsockError};
use virtio_bindings::virtio_ring::{VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use virtio_queue::desc::split::Descriptor;

/// Entries of the receive ring.
const RX_SIZE: u16 = 32;

#[test]
fn handshake_lines_are_taken_or_refused() {
    for (bytes, verdict) in [
        (&b"CONNECT 1024\n"[..], Handshake::Port(1024)),
        (b"CONNECT 1\nCONNECT 2\n", Handshake::Port(1)),
        (b"CONNECT 4294967294\n", Handshake::Port(u32::MAX - 1)),
        (b"CONNECT 4294967295\n", Handshake::Refused),
        (b"CONNECT 4294967296\n", Handshake::Refused),
        (b"CONNECT +1\n", Handshake::Refused),
        (b"CONNECT -1\n", Handshake::Refused),
        (b"CONNECT \n", Handshake::Refused),
        (b"CONNECT 1 \n", Handshake::Refused),
        (b"connect 1\n", Handshake::Refused),
        (b"CONNECT \xff\n", Handshake::Refused),
        (b"\n", Handshake::Refused),
        (b"", Handshake::Unfinished),
        (b"CONNECT 10", Handshake::Unfinished),
        (b"CONNECT 000000000000000000000001", Handshake::Refused),
    ] {
        assert_eq!(parse(bytes), verdict, "{bytes:?}");
    }
}

#[test]
fn handshake_in_pieces_is_put_together() {
    let mut machine = Machine::ready();
    let mut client = machine.connect();
    for piece in ["CONN", "ECT 10", "24\n"] {
        assert!(machine.driver.received.is_empty());
        client.write_all(piece.as_bytes()).unwrap();
        machine.run();
    }
    assert_eq!(machine.packet().0.dst_port, 1024);
}

#[test]
fn wrong_line_closes_client_without_a_word_to_the_guest() {
    let mut machine = Machine::ready();
    let mut client = machine.connect();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    machine.run();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    assert!(machine.driver.received.is_empty());
}

#[test]
fn silent_client_is_closed_when_its_time_is_over() {
    let mut limits = config();
    limits.limits.handshake_time = Duration::from_millis(20);
    let mut machine = Machine::new(limits);
    let mut silent = [machine.connect(), machine.connect()];
    machine.run();
    for client in &mut silent {
        client.set_nonblocking(true).unwrap();
        let ended = loop {
            match client.read(&mut [0; 1]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    machine.driver.wait(&machine.device);
                    machine.run();
                }
                other => break other,
            }
        };
        assert_eq!(ended.unwrap(), 0);
    }
    assert!(!readable(&machine.device));
}

#[test]
fn clients_above_the_handshake_limit_wait_in_the_backlog() {
    let mut limits = config();
    limits.limits.handshakes = 2;
    let mut machine = Machine::new(limits);
    machine.ring(READY);
    machine.driver.received.clear();
    let mut silent = vec![machine.connect(), machine.connect()];
    machine.run();
    let _third = machine.ask(1024);
    assert!(machine.driver.received.is_empty() && !readable(&machine.device));
    silent.pop();
    assert_eq!(machine.packet().0.op, op::REQUEST);
    // A line that comes makes room as well.
    silent.push(machine.connect());
    machine.run();
    let _fifth = machine.ask(1025);
    assert!(machine.driver.received.is_empty());
    silent[0].write_all(b"CONNECT 1026\n").unwrap();
    assert_eq!(machine.packet().0.dst_port, 1026);
    assert_eq!(machine.packet().0.dst_port, 1025);
}

#[test]
fn clients_above_the_held_or_stream_limit_are_closed() {
    for (held, streams) in [(2, 100), (100, 2)] {
        let mut limits = config();
        limits.limits.held = held;
        limits.limits.streams = streams;
        let mut machine = Machine::new(limits);
        let _kept = [machine.ask(1), machine.ask(2)];
        let mut third = machine.ask(3);
        assert!(third.read(&mut [0; 1]).is_err() || third.write(&[0; 1]).is_err());
        machine.ring(READY);
        let ports: Vec<u32> = machine
            .driver
            .received
            .drain(..)
            .filter(|(header, _)| header.op == op::REQUEST)
            .map(|(header, _)| header.dst_port)
            .collect();
        assert_eq!(ports, [1, 2]);
    }
}

#[test]
fn streams_that_the_guest_never_resets_make_room_for_new_ones() {
    let mut limits = config();
    limits.limits.streams = 2;
    let mut machine = Machine::new(limits);
    machine.ring(READY);
    machine.driver.received.clear();
    for _ in 0..2 {
        let (client, _) = machine.open(1024);
        drop(client);
        assert_eq!(machine.packet().0.flags, SHUT_BOTH);
    }
    drop(machine.ask(1024));
    assert_eq!(machine.packet().0.op, op::RST);
    assert_eq!(machine.packet().0.op, op::RST);
    machine.open(1024);
}

#[test]
fn held_client_that_leaves_is_not_offered() {
    let mut machine = Machine::new(config());
    drop(machine.ask(1024));
    machine.run();
    machine.ring(READY);
    assert_eq!(machine.packet().0.op, op::RST);
    machine.run();
    assert!(machine.driver.received.is_empty());
}

#[test]
fn client_that_leaves_while_the_guest_thinks_takes_its_request_back() {
    let mut machine = Machine::ready();
    let client = machine.ask(1024);
    let (request, _) = machine.packet();
    drop(client);
    assert_eq!(machine.packet().0.op, op::RST);
    machine.accept(&request);
    assert_eq!(machine.packet().0.op, op::RST);
}

#[test]
fn client_that_stops_reading_is_told_to_the_guest() {
    let mut machine = Machine::ready();
    let (client, stream) = machine.open(1024);
    client.shutdown(Shutdown::Read).unwrap();
    machine.send(&stream.header(op::RW, 4, 0), b"lost");
    let (header, _) = machine.packet();
    assert_eq!((header.op, header.flags), (op::SHUTDOWN, 1));
}

#[test]
fn guest_reset_gives_the_client_what_came_before_it() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    machine.send(&stream.header(op::RW, 4, 0), b"last");
    machine.send(&stream.header(op::RST, 0, 0), &[]);
    machine.run();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"last");
    assert!(machine.driver.received.is_empty());
}

#[test]
fn guests_request_is_refused_even_with_a_streams_ports() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    machine.send(&stream.header(op::REQUEST, 0, 0), &[]);
    assert_eq!(machine.packet().0.op, op::RST);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    for port in [0, 1, 1024, u32::MAX] {
        machine.ring(port);
        assert_eq!(machine.packet().0.op, op::RST);
    }
}

#[test]
fn foreign_cids_and_types_reach_no_stream() {
    let mut machine = Machine::ready();
    let (_client, stream) = machine.open(1024);
    let mut header = stream.header(op::RW, 1, 0);
    header.src_cid = u64::from(CID) + 1;
    machine.send(&header, b"x");
    machine.run();
    assert!(machine.driver.received.is_empty());
    header = stream.header(op::RW, 1, 0);
    header.dst_cid = 1;
    machine.send(&header, b"x");
    assert_eq!(machine.packet().0.src_cid, 1);
    header = stream.header(op::RW, 1, 0);
    header.kind = 2;
    machine.send(&header, b"x");
    let (reply, _) = machine.packet();
    assert_eq!((reply.op, reply.kind), (op::RST, 2));
}

#[test]
fn packet_longer_than_its_chain_resets_its_stream() {
    let mut machine = Machine::ready();
    let (mut client, stream) = machine.open(1024);
    let mut header = stream.header(op::RW, 0, 0);
    header.len = 10;
    machine.send(&header, b"short");
    assert_eq!(machine.packet().0.op, op::RST);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn chains_that_cannot_be_are_given_back_unused() {
    let mut machine = Machine::ready();
    let (_client, stream) = machine.open(1024);
    let write = u16::try_from(VRING_DESC_F_WRITE).unwrap();
    let next = u16::try_from(VRING_DESC_F_NEXT).unwrap();
    let bytes = stream.header(op::CREDIT_REQUEST, 0, 0).encode();
    let at = machine.driver.scratch(&bytes);
    for descriptor in [
        Descriptor::new(at, 44, write, 0),
        Descriptor::new(at, 43, 0, 0),
        Descriptor::new(at, 0, 0, 0),
        Descriptor::new(u64::MAX - 3, 44, 0, 0),
        Descriptor::new(1 << 40, u32::MAX, 0, 0),
        Descriptor::new(at, 20, next, 62),
        Descriptor::new(at, 20, next, 999),
    ] {
        let driver = &mut machine.driver;
        let before = driver.tx.used_index(&driver.mem);
        driver.tx.descriptor(&driver.mem, 62, descriptor);
        driver.tx.make_available(&driver.mem, 62);
        driver.kick_queue(&mut machine.device, 1).unwrap();
        assert_eq!(driver.tx.used_index(&driver.mem), before.wrapping_add(1));
    }
    // A chain that loops is walked to the ring's size, and reads as a packet of nobody.
    machine.driver.received.clear();
    machine.send(&stream.header(op::CREDIT_REQUEST, 0, 0), &[]);
    assert_eq!(machine.packet().0.op, op::CREDIT_UPDATE);
}

#[test]
fn available_index_out_of_range_is_a_device_error() {
    let mut machine = Machine::ready();
    for _ in 0..100 {
        machine.driver.tx.make_available(&machine.driver.mem, 62);
    }
    let error = machine
        .driver
        .kick_queue(&mut machine.device, 1)
        .unwrap_err();
    assert_eq!(error.queue, 1);
}

#[test]
fn receive_buffers_without_room_for_payload_are_given_back() {
    let mut machine = Machine::ready();
    let small = u32::try_from(HEADER_LEN).unwrap();
    for head in 0..RX_SIZE {
        machine.driver.shrink_rx(head, small);
    }
    machine.driver.refill = false;
    let before = machine.driver.rx.used_index(&machine.driver.mem);
    let _client = machine.ask(1024);
    machine.run();
    assert!(machine.driver.received.is_empty());
    let after = machine.driver.rx.used_index(&machine.driver.mem);
    assert_eq!(after.wrapping_sub(before), RX_SIZE);
    machine.driver.offer_rx(0, small + 1);
    machine.driver.kick_queue(&mut machine.device, 0).unwrap();
    assert_eq!(machine.packet().0.op, op::REQUEST);
}

#[test]
fn reserved_cids_and_equal_doorbells_are_refused() {
    let make = |cid, started| {
        let mut config = config();
        config.guest_cid = cid;
        config.doorbells.started = started;
        let (listener, _) = UnixStream::pair().unwrap();
        Vsock::new(config, listener.into(), Box::new(|_| ()))
    };
    for cid in [0, 1, 2, u32::MAX - 1, u32::MAX] {
        assert!(matches!(make(cid, 1), Err(VsockError::ReservedCid(c)) if c == cid));
    }
    assert!(matches!(
        make(3, READY),
        Err(VsockError::SameDoorbell(READY))
    ));
    assert_eq!(Limits::default().streams, 2048);
}
