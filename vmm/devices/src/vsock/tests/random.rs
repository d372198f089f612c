//! Random guests and clients: nothing they do makes the device panic, turn in vain, or break its own promises.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;
use virtio_queue::desc::split::Descriptor;

use super::driver::readable;
use super::guest::{CID, Machine, READY, config};
use crate::virtio::VirtioDevice;
use crate::vsock::packet::{HOST_CID, Header, op};

#[derive(Clone, Debug)]
enum Step {
    Packet {
        header: Header,
        /// Which stream's ports to take, if any.
        stream: Option<usize>,
        payload: usize,
        /// Whether the header says the payload's length.
        honest: bool,
    },
    Accept(usize),
    Connect(u32),
    Raw(Vec<u8>),
    Write(usize, usize),
    Read(usize),
    ShutWrite(usize),
    ShutRead(usize),
    Close(usize),
    Refill(bool),
    Reset,
}

fn header() -> impl Strategy<Value = Header> {
    let cid = prop_oneof![8 => Just(u64::from(CID)), 1 => any::<u64>()];
    let host = prop_oneof![8 => Just(HOST_CID), 1 => any::<u64>()];
    let port = prop_oneof![Just(1), Just(READY), Just(1024), any::<u32>()];
    let kind = prop_oneof![8 => Just(1_u16), 1 => any::<u16>()];
    let op = prop_oneof![12 => 0..9_u16, 1 => any::<u16>()];
    let credit = prop_oneof![Just(0), Just(4096), Just(1 << 18), any::<u32>()];
    let count = prop_oneof![Just(0), 0..100_000_u32, any::<u32>()];
    (
        cid,
        host,
        port,
        any::<u32>(),
        kind,
        op,
        0..8_u32,
        credit,
        count,
    )
        .prop_map(
            |(src_cid, dst_cid, dst_port, len, kind, op, flags, buf_alloc, fwd_cnt)| Header {
                src_cid,
                dst_cid,
                src_port: 1024,
                dst_port,
                len,
                kind,
                op,
                flags,
                buf_alloc,
                fwd_cnt,
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0..64_usize, 0..66_000_usize];
    let packet = (
        header(),
        proptest::option::weighted(0.8, 0..8_usize),
        size.clone(),
        proptest::bool::weighted(0.9),
    )
        .prop_map(|(header, stream, payload, honest)| Step::Packet {
            header,
            stream,
            payload,
            honest,
        });
    prop_oneof![
        12 => packet,
        4 => (0..8_usize).prop_map(Step::Accept),
        3 => prop_oneof![Just(1024), any::<u32>()].prop_map(Step::Connect),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Step::Raw),
        4 => (0..8_usize, size).prop_map(|(client, len)| Step::Write(client, len)),
        4 => (0..8_usize).prop_map(Step::Read),
        2 => (0..8_usize).prop_map(Step::ShutWrite),
        1 => (0..8_usize).prop_map(Step::ShutRead),
        2 => (0..8_usize).prop_map(Step::Close),
        1 => any::<bool>().prop_map(Step::Refill),
        1 => Just(Step::Reset),
    ]
}

/// What the guest has been asked for so far, and the clients.
#[derive(Default)]
struct World {
    asked: Vec<Header>,
    clients: Vec<UnixStream>,
}

impl World {
    fn client(&self, index: usize) -> Option<&UnixStream> {
        self.clients.get(index)
    }

    fn stream(&self, index: usize) -> Option<&Header> {
        self.asked.iter().rev().nth(index)
    }

    fn apply(&mut self, machine: &mut Machine, step: Step) {
        match step {
            Step::Packet {
                mut header,
                stream,
                payload,
                honest,
            } => {
                if let Some(request) = stream.and_then(|index| self.stream(index)) {
                    header.src_port = request.dst_port;
                    header.dst_port = request.src_port;
                }
                if honest {
                    header.len = u32::try_from(payload).unwrap();
                }
                machine.send(&header, &vec![0x5a; payload]);
            }
            Step::Accept(index) => {
                if let Some(request) = self.stream(index).copied() {
                    machine.accept(&request);
                }
            }
            Step::Connect(port) => {
                let client = machine.connect();
                client.set_nonblocking(true).unwrap();
                (&client)
                    .write_all(format!("CONNECT {port}\n").as_bytes())
                    .unwrap();
                self.clients.push(client);
            }
            Step::Raw(bytes) => {
                let client = machine.connect();
                client.set_nonblocking(true).unwrap();
                (&client).write_all(&bytes).unwrap();
                self.clients.push(client);
            }
            Step::Write(index, len) => {
                if let Some(mut client) = self.client(index) {
                    client.write(&vec![0xa5; len]).unwrap_or_default();
                }
            }
            Step::Read(index) => {
                if let Some(mut client) = self.client(index) {
                    client.read(&mut vec![0; 1 << 16]).unwrap_or_default();
                }
            }
            Step::ShutWrite(index) => {
                if let Some(client) = self.client(index) {
                    client.shutdown(Shutdown::Write).unwrap_or_default();
                }
            }
            Step::ShutRead(index) => {
                if let Some(client) = self.client(index) {
                    client.shutdown(Shutdown::Read).unwrap_or_default();
                }
            }
            Step::Close(index) => {
                if index < self.clients.len() {
                    self.clients.remove(index);
                }
            }
            Step::Refill(refill) => machine.driver.refill = refill,
            Step::Reset => machine.device.reset(),
        }
    }

    fn look(&mut self, machine: &mut Machine) {
        for (header, _) in machine.driver.received.drain(..) {
            assert!((op::REQUEST..=op::CREDIT_REQUEST).contains(&header.op));
            assert_ne!(header.op, op::RESPONSE, "the device accepts nothing");
            if header.op == op::REQUEST {
                assert_eq!((header.src_cid, header.dst_cid), (HOST_CID, u64::from(CID)));
                self.asked.push(header);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_guests_and_clients_leave_a_device_that_works(steps in proptest::collection::vec(step(), 1..80)) {
        let mut machine = Machine::new(config());
        let mut world = World::default();
        for step in steps {
            world.apply(&mut machine, step);
            machine.run();
            world.look(&mut machine);
        }
        // Whatever was, a reset and a client of good will are enough.
        world.clients.clear();
        machine.device.reset();
        if !machine.driver.refill {
            machine.driver.refill = true;
            machine.driver.offer_all();
        }
        machine.ring(READY);
        machine.run();
        prop_assert!(!readable(&machine.device));
        machine.driver.received.clear();
        machine.open(1024);
    }

    #[test]
    fn random_rings_never_panic(
        table in proptest::collection::vec((any::<u64>(), any::<u32>(), 0..8_u16, 0..70_u16), 64),
        low in any::<bool>(),
        heads in proptest::collection::vec(any::<u16>(), 1..80),
        queue in 0..3_u16,
    ) {
        let mut machine = Machine::ready();
        let _client = machine.ask(1024);
        let driver = &mut machine.driver;
        for (index, (address, len, flags, next)) in (0..).zip(table) {
            let address = if low { address % (16 << 20) } else { address };
            let len = if low { len % 70_000 } else { len };
            let descriptor = Descriptor::new(address, len, flags, next);
            match queue {
                0 => driver.rx.descriptor(&driver.mem, index % 32, descriptor),
                1 => driver.tx.descriptor(&driver.mem, index, descriptor),
                _ => driver.event.descriptor(&driver.mem, index % 8, descriptor),
            }
        }
        for head in heads {
            let ring = match queue { 0 => &mut driver.rx, 1 => &mut driver.tx, _ => &mut driver.event };
            ring.make_available(&driver.mem, head);
            let error = driver.kick_raw(&mut machine.device, queue);
            if let Err(error) = error {
                prop_assert!(!error.cause.is_empty());
                break;
            }
        }
    }
}
