//! Many streams at once, and clients that do not read.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use vm_memory::{GuestAddress, GuestMemoryMmap};

use super::guest::Machine;
use super::peer::{Pattern, Peer};
use crate::vsock::chain::Slices;
use crate::vsock::packet::{SHUT_SEND, op};
use crate::vsock::stream::Outbox;

/// A client that writes and reads what fits.
struct Client {
    socket: UnixStream,
    pattern: Pattern,
    written: usize,
    read: usize,
    ended: bool,
}

impl Client {
    fn new(socket: UnixStream, pattern: Pattern) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            pattern,
            written: 0,
            read: 0,
            ended: false,
        }
    }

    fn write(&mut self, block: &[u8], total: usize) {
        while self.written < total {
            let piece = self
                .pattern
                .piece(block, self.written, total - self.written);
            match self.socket.write(piece) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn read(&mut self, block: &[u8], limit: usize) {
        let mut bytes = vec![0; limit];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                assert!(self.pattern.matches(block, self.read, &bytes[..count]));
                self.read += count;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

/// Gives each peer what came for it.
fn take_all(machine: &mut Machine, peers: &mut HashMap<u32, Peer>, block: &[u8]) {
    machine.run();
    for (header, payload) in std::mem::take(&mut machine.driver.received) {
        let peer = peers.get_mut(&header.src_port).unwrap();
        peer.take(block, &header, &payload);
        peer.give_credit(&mut machine.driver);
    }
}

/// Raises the limit of open files: both ends of each stream are ours.
fn allow_descriptors(wanted: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is borrowed for the call.
    assert_eq!(0, unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit)
    });
    limit.rlim_cur = limit.rlim_cur.max(wanted.min(limit.rlim_max));
    // SAFETY: the structure is borrowed for the call.
    assert_eq!(0, unsafe {
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    });
}

fn many_streams(streams: usize, total: usize) -> (usize, usize) {
    let block = Pattern::block();
    let mut machine = Machine::ready();
    let mut clients = Vec::new();
    let mut peers = HashMap::new();
    for index in 0..streams {
        let socket = machine.ask(1024);
        let (request, _) = machine.packet();
        let stream = machine.accept(&request);
        super::guest::line(&socket);
        clients.push(Client::new(socket, Pattern::new(index)));
        let peer = Peer::new(stream, &request, Pattern::new(index));
        peers.insert(stream.host_port, peer);
    }
    let goal = u32::try_from(total).unwrap();
    let mut before = 0;
    loop {
        for client in &mut clients {
            client.write(&block, total);
            client.read(&block, 1 << 16);
        }
        for peer in peers.values_mut() {
            peer.send(&mut machine.driver, &block, (goal - peer.sent).min(1 << 16));
        }
        take_all(&mut machine, &mut peers, &block);
        let moved: usize = clients.iter().map(|c| c.written + c.read).sum::<usize>()
            + peers
                .values()
                .map(|p| usize::try_from(p.sent + p.got).unwrap())
                .sum::<usize>();
        if moved == 4 * streams * total {
            return (
                machine.driver.interrupts,
                peers.values().map(|p| p.updates).sum(),
            );
        }
        assert!(moved > before, "stalled at {moved} bytes");
        before = moved;
    }
}

#[test]
fn two_hundred_streams_move_two_mebibytes_each_way_without_a_stall() {
    many_streams(200, 2 << 20);
}

#[test]
fn a_thousand_streams_share_the_memory_and_do_not_stall() {
    allow_descriptors(4096);
    many_streams(1100, 48 << 10);
}

#[test]
fn one_stream_of_sixteen_mebibytes_costs_few_credit_packets() {
    let total = 16 << 20;
    let block = Pattern::block();
    let mut machine = Machine::ready();
    let socket = machine.ask(1024);
    let (request, _) = machine.packet();
    let stream = machine.accept(&request);
    super::guest::line(&socket);
    let mut client = Client::new(socket, Pattern::new(0));
    let mut peers = HashMap::from([(
        stream.host_port,
        Peer::new(stream, &request, Pattern::new(0)),
    )]);
    let before = machine.driver.interrupts;
    while client.read < total {
        let peer = peers.get_mut(&stream.host_port).unwrap();
        let left = u32::try_from(total).unwrap() - peer.sent;
        peer.send(&mut machine.driver, &block, left.min(1 << 16));
        take_all(&mut machine, &mut peers, &block);
        let read = client.read;
        client.read(&block, 1 << 18);
        assert!(client.read > read, "stalled at {read} bytes");
    }
    let peer = &peers[&stream.host_port];
    assert!(
        peer.updates <= 16 * 6,
        "{} credit updates for 16 MiB",
        peer.updates
    );
    let interrupts = machine.driver.interrupts - before;
    assert!(interrupts <= 16 * 8, "{interrupts} interrupts for 16 MiB");
}

#[test]
fn client_that_does_not_read_stops_the_guest_and_loses_nothing() {
    let block = Pattern::block();
    let mut machine = Machine::ready();
    let (socket, stream) = machine.open(1024);
    let mut request = stream.header(op::REQUEST, 0, 0);
    request.buf_alloc = 256 * 1024;
    let mut client = Client::new(socket, Pattern::new(3));
    let mut peers = HashMap::from([(
        stream.host_port,
        Peer::new(stream, &request, Pattern::new(3)),
    )]);
    let mut last = u32::MAX;
    while peers[&stream.host_port].sent != last {
        let peer = peers.get_mut(&stream.host_port).unwrap();
        last = peer.sent;
        peer.send(&mut machine.driver, &block, 1 << 16);
        take_all(&mut machine, &mut peers, &block);
    }
    // What the kernel holds for a socket (`net.core.wmem_default`, less its overhead) and what we promised.
    assert!((256 * 1024..=1 << 20).contains(&last), "stopped at {last}");
    assert!(machine.driver.received.is_empty());

    // The guest ends; everything still arrives, and then the end.
    let peer = peers.get_mut(&stream.host_port).unwrap();
    let header = peer.header(op::SHUTDOWN, 0, SHUT_SEND);
    machine.send(&header, &[]);
    let goal = usize::try_from(last).unwrap();
    while client.read < goal {
        let before = client.read;
        client.read(&block, 1 << 14);
        take_all(&mut machine, &mut peers, &block);
        assert!(client.read > before, "stalled at {before} of {goal}");
    }
    client.read(&block, 1);
    assert!(client.ended && client.read == goal);
}

#[test]
fn more_than_the_credit_resets_the_stream() {
    let block = Pattern::block();
    let mut machine = Machine::ready();
    let (socket, stream) = machine.open(1024);
    let chunk = &block[..60_000];
    let mut resets = 0;
    // Far above promise and socket together.
    for _ in 0..40 {
        machine.send(&stream.header(op::RW, chunk.len(), 0), chunk);
        machine.run();
        resets += machine
            .driver
            .received
            .drain(..)
            .filter(|(header, _)| header.op == op::RST)
            .count();
    }
    assert!(resets > 0);
    // The client is closed, not left waiting.
    (&socket).read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn guest_without_receive_buffers_keeps_nobody_busy() {
    let mut machine = Machine::ready();
    let (mut socket, _) = machine.open(1024);
    machine.driver.refill = false;
    socket.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = socket.write(&[7; 1 << 14]) {
        written += count;
        machine.run();
    }
    // The next buffer that the driver offers is worth a kick, and only that one.
    let rx = &machine.driver.rx;
    assert!(!rx.wants_kick(&machine.driver.mem, rx.available()));
    machine.driver.offer_rx(0, super::driver::RX_BUFFER);
    let rx = &machine.driver.rx;
    assert!(rx.wants_kick(&machine.driver.mem, rx.available().wrapping_sub(1)));
    let before = machine.driver.rx.used_index(&machine.driver.mem);
    machine.driver.kick_queue(&mut machine.device, 0).unwrap();
    let after = machine.driver.rx.used_index(&machine.driver.mem);
    assert_eq!(after, before.wrapping_add(1));
    // The descriptor is quiet although the client has more to say: no thread turns in vain.
    assert!(!super::driver::readable(&machine.device));
    socket.shutdown(Shutdown::Write).unwrap();
    machine.driver.received.clear();
    assert!(written > 100_000);
}

#[test]
fn driver_is_not_asked_for_kicks_while_it_has_offered_enough() {
    let mut machine = Machine::ready();
    let (mut socket, _) = machine.open(1024);
    for _ in 0..100 {
        let before = machine.driver.rx.available();
        socket.write_all(b"some").unwrap();
        assert_eq!(machine.packet().1, b"some");
        let rx = &machine.driver.rx;
        assert!(!rx.wants_kick(&machine.driver.mem, before));
    }
}

#[test]
fn outbox_that_never_runs_empty_does_not_grow() {
    let mem = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(0), 4096)]).unwrap();
    let piece = Slices::of_range(&mem, GuestAddress(0), 4096).unwrap();
    let mut outbox = Outbox::default();
    outbox.push(&piece);
    for _ in 0..1000 {
        outbox.push(&piece);
        outbox.pop(4096);
        assert_eq!(outbox.waiting().len(), 4096);
    }
    assert!(outbox.memory() <= 4 * 4096, "{} bytes", outbox.memory());
    outbox.pop(4096);
    assert!(outbox.is_empty() && outbox.memory() == 0);
}
