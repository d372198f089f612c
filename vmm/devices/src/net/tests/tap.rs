//! A real tap, with the host's TCP behind it: frames longer than the MTU go both ways.
//!
//! The test is the guest, down to its TCP. It needs the right to make a network namespace, and `ip`; it says so where
//! they are not there.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vm_memory::{Bytes, GuestAddress};

use super::super::{NetDevice, Nic, Tap, create_tap};
use super::peer::{MAC, MEM, RX, TX, pattern};
use crate::virtio::testing::{Buffer, FakeDriver};
use crate::virtio::{MmioHandler, VirtioDevice};

const MTU: u16 = 1400;
/// The MTU without the headers of IPv4 and TCP.
const SEGMENT: u16 = MTU - 40;
const HOST: [u8; 4] = [10, 9, 0, 1];
const GUEST: [u8; 4] = [10, 9, 0, 2];
const PORT: u16 = 40_000;
const ETHERNET: usize = 14;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// What the guest sees of a TCP segment.
struct Segment {
    gso_type: u8,
    gso_size: u16,
    seq: u32,
    payload: Vec<u8>,
}

/// The guest: a driver, and one TCP connection.
struct Guest {
    driver: FakeDriver<NetDevice>,
    room: Buffer,
    to: u16,
    seq: u32,
    ack: u32,
}

impl Guest {
    fn new(device: NetDevice, to: u16) -> Self {
        let mut driver = FakeDriver::started(device, MEM, u64::MAX);
        let room = driver.writable(70_000);
        Self {
            driver,
            room,
            to,
            seq: 1000,
            ack: 0,
        }
    }

    /// Send a segment with the checksum left to the device, and the cutting if it is longer than the MTU allows.
    fn send(&mut self, flags: u8, options: &[u8], payload: &[u8]) {
        let tcp_len = 20 + options.len() + payload.len();
        let length = u16::try_from(20 + tcp_len).unwrap();
        let mut ip = vec![0x45, 0];
        ip.extend(length.to_be_bytes());
        ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
        ip.extend([GUEST, HOST].concat());
        let sum = !sum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut tcp = [PORT.to_be_bytes(), self.to.to_be_bytes()].concat();
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        let words = u8::try_from(5 + options.len() / 4).unwrap();
        tcp.extend([words << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(options);
        let ends = [GUEST, HOST].concat();
        let size = u16::try_from(tcp_len).unwrap();
        let pseudo = [&ends[..], &[0, 6], &size.to_be_bytes()].concat();
        tcp[16..18].copy_from_slice(&self::sum(&pseudo).to_be_bytes());
        let mac = super::peer::nic().mac.bytes();
        // The host's end takes every frame: its address was set to this one.
        let ethernet = [&[2, 0, 0, 0, 0, 1], &mac[..], &[8, 0]].concat();
        let headers = u16::try_from(ETHERNET + 20 + 20 + options.len()).unwrap();
        let cut = payload.len() > usize::from(SEGMENT);
        let (kind, cut_at) = if cut { (1, SEGMENT) } else { (0, 0) };
        let mut frame = vec![1, kind];
        for word in [headers, cut_at, 34, 16, 0] {
            frame.extend(word.to_le_bytes());
        }
        frame.extend([ethernet, ip, tcp, payload.to_vec()].concat());
        let buffer = self.driver.readable(&frame);
        assert!(self.driver.transfer(TX, &[buffer]).is_some());
        let sent = payload.len() + usize::from(flags & SYN != 0);
        self.seq += u32::try_from(sent).unwrap();
    }

    /// The next segment of the connection; whatever else the host sends is passed over.
    fn next(&mut self) -> Segment {
        loop {
            self.driver.queues[0].push(&[self.room]);
            self.driver.kick(RX);
            let used = loop {
                if let Some(used) = self.driver.queues[0].pop_used() {
                    break used;
                }
                self.driver.slot.with_device(|device| {
                    let fd = device.host_fd().unwrap();
                    let limit = Timespec {
                        tv_sec: 120,
                        tv_nsec: 0,
                    };
                    let mut ready = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
                    assert_eq!(poll(&mut ready, Some(&limit)).unwrap(), 1, "no frame came");
                });
                self.driver.host();
            };
            let mut bytes = vec![0; usize::try_from(used.len).unwrap()];
            let place = GuestAddress(self.room.addr);
            self.driver.mem.read_slice(&mut bytes, place).unwrap();
            let (header, frame) = bytes.split_at(12);
            if frame[12..14] != [8, 0] || frame[ETHERNET + 9] != 6 {
                continue;
            }
            let ip_len = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
            let tcp = &frame[ETHERNET + 20..ETHERNET + ip_len];
            let (_, payload) = tcp.split_at(usize::from(tcp[12] >> 4) * 4);
            return Segment {
                gso_type: header[1],
                gso_size: u16::from_le_bytes([header[4], header[5]]),
                seq: u32::from_be_bytes(*tcp[4..].first_chunk().unwrap()),
                payload: payload.to_vec(),
            };
        }
    }
}

/// The sum of RFC 1071.
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// The host's end, in a network namespace of this thread.
fn host_end() -> io::Result<Tap> {
    #[expect(deprecated, reason = "deprecated for UnshareFlags::FILES only")]
    rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET)?;
    let tap = create_tap("husk0")?;
    let script = format!(
        "ip link set husk0 address 02:00:00:00:00:01 mtu {MTU} up && \
         ip address add 10.9.0.1/24 dev husk0 && \
         ip neighbour replace 10.9.0.2 lladdr {MAC} dev husk0"
    );
    let status = Command::new("sh").args(["-c", &script]).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("ip: {status}")));
    }
    Tap::new(tap).map_err(io::Error::other)
}

fn both_ways() -> io::Result<()> {
    let tap = host_end()?;
    let listener = TcpListener::bind("10.9.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().port();
    let mut device = NetDevice::new().unwrap();
    let nic = Nic {
        mtu: MTU,
        ..super::peer::nic()
    };
    device.plug(Box::new(tap), nic).unwrap();
    let mut guest = Guest::new(device, to);
    let mut mtu = [0; 2];
    guest.driver.slot.read(0x100 + 10, &mut mtu);
    assert_eq!(u16::from_le_bytes(mtu), MTU);

    let [high, low] = SEGMENT.to_be_bytes();
    guest.send(SYN, &[2, 4, high, low], &[]);
    guest.ack = guest.next().seq + 1;
    guest.send(ACK, &[], &[]);
    let (mut stream, _) = listener.accept().unwrap();

    // Longer than the MTU: cut, or not, by the host.
    let sent = pattern(4000);
    guest.send(ACK, &[], &sent);
    let mut read = vec![0; sent.len()];
    stream.read_exact(&mut read).unwrap();
    assert!(read == sent, "bytes changed on the way out");

    // And from the host: whole, because the driver said that it takes them so.
    let given = pattern(6000);
    stream.write_all(&given).unwrap();
    let (mut taken, mut longest) = (Vec::new(), 0);
    while taken.len() < given.len() {
        let segment = guest.next();
        if segment.payload.is_empty() {
            continue;
        }
        assert_eq!(segment.seq, guest.ack);
        if segment.payload.len() > usize::from(SEGMENT) {
            assert_eq!((segment.gso_type, segment.gso_size), (1, SEGMENT));
        }
        longest = longest.max(segment.payload.len());
        guest.ack += u32::try_from(segment.payload.len()).unwrap();
        taken.extend(segment.payload);
    }
    assert!(taken == given, "bytes changed on the way in");
    assert!(longest > usize::from(SEGMENT), "{longest}");
    let metrics = guest.driver.slot.with_device(|device| device.metrics());
    assert_eq!(
        (metrics.tx_frames, metrics.refused, metrics.dropped),
        (3, 0, 0)
    );
    Ok(())
}

#[test]
fn frames_longer_than_the_mtu_go_both_ways() {
    if let Err(error) = thread::spawn(both_ways).join().unwrap() {
        eprintln!("left out: no network can be made here: {error}");
    }
}
