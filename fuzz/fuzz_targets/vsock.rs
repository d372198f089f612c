//! A guest and clients of any kind for a vsock slot. The input is a program: packets with any header,
//! descriptors of any shape, clients that connect, write, read, shut and close.
//! Beyond "no panic": the device accepts nothing, its packets are as long as they say, it falls quiet when
//! nothing is left to do, and it serves a client of good will after a reset.
#![no_main]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};

use husk_devices::virtio::MmioHandler;
use husk_devices::virtio::testing::{Buffer, FakeDriver};
use husk_devices::vsock::{Doorbells, Limits, Vsock, VsockConfig};
use libfuzzer_sys::fuzz_target;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vm_memory::{Bytes, GuestAddress};

const MEM: usize = 1 << 20;
const HEADER: usize = 44;
const READY: u32 = 2;
const REQUEST: u16 = 1;
const RESPONSE: u16 = 2;
const CREDIT_REQUEST: u16 = 7;
/// Where packets and receive buffers lie.
const TX_AT: u64 = 0x4_0000;
const RX_AT: u64 = 0x8_0000;
const RX_LEN: u32 = 1024;

/// Names of listeners are used once: cases may overlap in time with what the kernel still closes.
static CASE: AtomicU64 = AtomicU64::new(0);

struct Guest {
    driver: FakeDriver<Vsock>,
    address: SocketAddr,
    clients: Vec<UnixStream>,
    /// Ports (host's, guest's) of the streams that the device asked for.
    asked: Vec<(u32, u32)>,
    /// The receive ring is as the driver made it, so what comes in it can be judged.
    sound: bool,
    /// Every receive buffer is given back at once.
    generous: bool,
}

fuzz_target!(|input: &[u8]| {
    let mut guest = Guest::new();
    let mut input = input;
    while let Some(step) = take::<4>(&mut input) {
        guest.step(step, &mut input);
        guest.settle();
    }
    guest.clients.clear();
    guest.start();
    guest.generous = true;
    guest.packet(REQUEST, [1, READY], &[]);
    guest.settle();
    guest.asked.clear();
    guest.connect(b"CONNECT 1024\n");
    guest.settle();
    assert_eq!(guest.asked.len(), 1, "a new client was not offered");
});

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

impl Guest {
    fn new() -> Self {
        let case = CASE.fetch_add(1, Ordering::Relaxed);
        let name = format!("husk-fuzz-{}-{case}", std::process::id());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let config = VsockConfig {
            guest_cid: 3,
            doorbells: Doorbells {
                started: 1,
                ready: READY,
            },
            limits: Limits::default(),
        };
        let device = Vsock::new(config, listener.into(), Box::new(|_| ())).unwrap();
        let mut guest = Self {
            driver: FakeDriver::new(device, MEM),
            address,
            clients: Vec::new(),
            asked: Vec::new(),
            sound: true,
            generous: false,
        };
        guest.start();
        guest
    }

    /// Resets the device and begins anew.
    fn start(&mut self) {
        self.driver.start(u64::MAX);
        self.asked.clear();
        self.sound = true;
        for index in 0..u64::from(self.driver.queues[0].size) {
            self.offer(RX_AT + index * u64::from(RX_LEN));
        }
    }

    fn offer(&mut self, addr: u64) {
        self.driver.queues[0].push(&[Buffer {
            addr,
            len: RX_LEN,
            writable: true,
        }]);
    }

    fn step(&mut self, [kind, which, a, b]: [u8; 4], input: &mut &[u8]) {
        let small = u16::from_le_bytes([a, b]);
        let client = self.clients.get(usize::from(which));
        match kind % 12 {
            0 => self.connect(format!("CONNECT {small}\n").as_bytes()),
            1 => {
                let line = input.split_off(..input.len().min(usize::from(which % 40)));
                self.connect(line.unwrap_or_default());
            }
            2 => {
                client.map(|mut client| client.write(&vec![a; usize::from(small)]));
            }
            3 => {
                client.map(|mut client| client.read(&mut vec![0; usize::from(small) + 1]));
            }
            4 => {
                client.map(|client| client.shutdown(Shutdown::Write));
            }
            5 => {
                client.map(|client| client.shutdown(Shutdown::Read));
            }
            6 if usize::from(which) < self.clients.len() => {
                self.clients.remove(usize::from(which));
            }
            7 => self.packet(u16::from(b % 9), [1024, u32::from(a)], &[]),
            8..=9 => self.stream_packet(usize::from(which), u16::from(b % 9), input),
            10 => {
                if let Some(header) = take::<HEADER>(input) {
                    self.send(&header, usize::from(small));
                }
            }
            11 => self.descriptor(which, input),
            _ => self.start(),
        }
    }

    fn connect(&mut self, line: &[u8]) {
        let client = UnixStream::connect_addr(&self.address).unwrap();
        client.set_nonblocking(true).unwrap();
        (&client).write_all(line).unwrap();
        self.clients.push(client);
    }

    /// A packet of a stream that the device asked for; flags, credit and length come from the input.
    fn stream_packet(&mut self, which: usize, op: u16, input: &mut &[u8]) {
        let (Some(&(host, guest)), Some(fields)) = (self.asked.get(which), take::<9>(input)) else {
            return;
        };
        let [flags, alloc @ .., l0, l1, count, lie] = fields;
        let len = u16::from_le_bytes([l0, l1]);
        let claimed = u32::from(len) + u32::from(lie == 1);
        let mut header = encode(op, [guest, host], claimed);
        header[32] = flags;
        header[36..40].copy_from_slice(&alloc);
        header[41] = count;
        self.send(&header, usize::from(len));
    }

    fn packet(&mut self, op: u16, ports: [u32; 2], payload: &[u8]) {
        let header = encode(op, ports, u32::try_from(payload.len()).unwrap());
        self.send(&header, payload.len());
    }

    fn send(&mut self, header: &[u8; HEADER], payload: usize) {
        let mem = &self.driver.mem;
        mem.write_slice(header, GuestAddress(TX_AT)).unwrap();
        let head = Buffer {
            addr: TX_AT,
            len: 44,
            writable: false,
        };
        let body = Buffer {
            addr: TX_AT + 44,
            len: u32::try_from(payload).unwrap(),
            writable: false,
        };
        self.driver.queues[1].push(&[head, body][..1 + usize::from(payload > 0)]);
        self.driver.kick(1);
        while self.driver.queues[1].pop_used().is_some() {}
    }

    fn descriptor(&mut self, queue: u8, input: &mut &[u8]) {
        let Some([index, flags, next, low, high, len, ..]) = take::<8>(input) else {
            return;
        };
        let queue_index = u16::from(queue % 3);
        self.sound &= queue_index != 0;
        let queue = &mut self.driver.queues[usize::from(queue_index)];
        let buffer = Buffer {
            addr: u64::from(low) << 12 | u64::from(high) << 33,
            len: u32::from(len) << (index % 24),
            writable: false,
        };
        let index = u16::from(index) % queue.size;
        queue.write_descriptor(queue.desc, index, buffer, flags.into(), next.into());
        queue.offer(index);
        self.driver.kick(queue_index);
        while self.driver.queues[1].pop_used().is_some() {}
    }

    /// Serves host and guest until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut given = false;
            while let Some(used) = self.driver.queues[0].pop_used() {
                self.look(used.head, used.len);
                given = true;
            }
            self.driver.kick(0);
            if self.readable() {
                self.driver.host();
            } else if !given {
                return;
            }
        }
        panic!("the device does not fall quiet");
    }

    fn look(&mut self, head: u16, len: u32) {
        let queue = &self.driver.queues[0];
        let at = GuestAddress(queue.desc + u64::from(head) * 16);
        let addr: u64 = self.driver.mem.read_obj(at).unwrap();
        let mut header = [0; HEADER];
        if self.sound
            && usize::try_from(len).unwrap() >= HEADER
            && self
                .driver
                .mem
                .read_slice(&mut header, GuestAddress(addr))
                .is_ok()
        {
            let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
            let op = u16::from_le_bytes([header[30], header[31]]);
            assert!((REQUEST..=CREDIT_REQUEST).contains(&op) && op != RESPONSE);
            assert_eq!(word(24) + 44, len, "payload length");
            if op == REQUEST {
                self.asked.push((word(16), word(20)));
            }
        }
        if self.generous || self.driver.queues[0].used_index() % 7 != 0 {
            self.offer(RX_AT + u64::from(head % 32) * u64::from(RX_LEN));
        }
    }

    fn readable(&self) -> bool {
        let fd = self.driver.slot.host_fd().unwrap();
        // SAFETY: the descriptor belongs to the slot, which outlives the call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).unwrap() > 0
    }
}

/// A header of the guest (CID 3) to the host (CID 2); `ports` are the guest's and the host's.
fn encode(op: u16, ports: [u32; 2], len: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[0] = 3;
    header[8] = 2;
    header[16..20].copy_from_slice(&ports[0].to_le_bytes());
    header[20..24].copy_from_slice(&ports[1].to_le_bytes());
    header[24..28].copy_from_slice(&len.to_le_bytes());
    header[28] = 1;
    header[30..32].copy_from_slice(&op.to_le_bytes());
    header[38] = 4;
    header
}
