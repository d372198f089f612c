//! Chains of any shape for a net slot, in both directions, with frames of any length from the network. The input is the
//! features that the driver takes, two descriptor tables, the heads to offer, the lengths of frames and what lies in guest
//! memory (headers, frames, indirect tables).
//! Beyond "no panic": what reaches the network has a header that promises nothing false, and a reset brings back a device
//! that works.
#![no_main]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use husk_devices::net::{NetDevice, Nic, Offloads, Wire};
use husk_devices::virtio::testing::FakeDriver;
use libfuzzer_sys::fuzz_target;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use vm_memory::{Bytes, GuestAddress};

const MEM: usize = 1 << 20;
const RX: u16 = 0;
const TX: u16 = 1;
/// Descriptors of a table that the input chooses; the ring has 128.
const TABLE_LEN: usize = 32 * 16;
/// Where the rest of the input lies; descriptors that point there are more than noise.
const ARENA: u64 = 0x4_0000;
const ARENA_LEN: usize = 0x1_0000;
const HEADER_LEN: usize = 12;
/// VIRTIO_NET_F_CSUM, _HOST_TSO4, _HOST_TSO6, _HOST_ECN, _MRG_RXBUF and the two features of rings.
const CHOSEN: [u64; 7] = [0, 11, 12, 13, 15, 28, 29];
const VERSION_1: u64 = 1 << 32;

struct Link(OwnedFd);

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Wire for Link {
    fn set_offloads(&mut self, _offloads: Offloads) -> io::Result<()> {
        Ok(())
    }
}

/// The other end of the link: every frame that came is looked at.
fn check_frames(peer: &OwnedFd, features: u64) -> usize {
    let mut space = vec![0; 80_000];
    let mut count = 0;
    while let Ok((len, _)) = recv(peer, space.as_mut_slice(), RecvFlags::DONTWAIT) {
        if len == 0 {
            break;
        }
        count += 1;
        let has = |bit: u64| features & 1 << bit != 0;
        let frame_len = len.checked_sub(HEADER_LEN).unwrap();
        assert!(frame_len >= 14, "a frame of {frame_len} bytes");
        let word = |at: usize| usize::from(u16::from_le_bytes([space[at], space[at + 1]]));
        let (flags, gso) = (space[0], space[1]);
        assert!(flags <= 1 && (flags == 0 || has(0)), "flags {flags}");
        assert!(flags == 0 || word(6) + word(8) + 2 <= frame_len);
        match gso & 0x7f {
            0 => assert_eq!(gso, 0),
            1 => assert!(has(11)),
            4 => assert!(has(12)),
            other => panic!("segments of kind {other}"),
        }
        assert!(gso == 0 || (flags == 1 && word(4) > 0 && word(2) <= frame_len));
        assert!(gso & 0x80 == 0 || has(13));
    }
    count
}

fuzz_target!(|input: &[u8]| {
    let [choice, rx_heads, tx_heads, frames, rest @ ..] = input else {
        return;
    };
    if rest.len() < 2 * TABLE_LEN {
        return;
    }
    let chosen = (0..8).zip(CHOSEN).filter(|(bit, _)| choice & 1 << bit != 0);
    let features = chosen.fold(VERSION_1, |features, (_, bit)| features | 1 << bit);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, peer) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let mut device = NetDevice::new().unwrap();
    let mac = "02:00:00:00:00:07".parse().unwrap();
    device
        .plug(Box::new(Link(ours)), Nic { mac, mtu: 1500 })
        .unwrap();
    let mut driver = FakeDriver::started(device, MEM, features);

    let (rx_table, rest) = rest.split_at(TABLE_LEN);
    let (tx_table, rest) = rest.split_at(TABLE_LEN);
    for (queue, table) in [(RX, rx_table), (TX, tx_table)] {
        let place = GuestAddress(driver.queues[usize::from(queue)].desc);
        driver.mem.write_slice(table, place).unwrap();
    }
    let (rx, rest) = rest.split_at(rest.len().min(usize::from(rx_heads % 32)));
    let (tx, rest) = rest.split_at(rest.len().min(usize::from(tx_heads % 32)));
    let (lengths, arena) = rest.split_at(rest.len().min(usize::from(frames % 16)));
    let arena = &arena[..arena.len().min(ARENA_LEN)];
    driver.mem.write_slice(arena, GuestAddress(ARENA)).unwrap();
    for head in rx {
        driver.queues[0].offer(u16::from(head % 33));
    }
    driver.kick(RX);
    for length in lengths {
        let frame = vec![0x5a; HEADER_LEN + 14 + usize::from(*length) * 257];
        if send(&peer, &frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok() {
            driver.host();
        }
    }
    for head in tx {
        driver.queues[1].offer(u16::from(head % 33));
        driver.kick(TX);
        check_frames(&peer, features);
    }

    driver.start(features);
    driver.host();
    check_frames(&peer, features);
    let frame = driver.readable(&[0; HEADER_LEN + 60]);
    assert!(driver.transfer(TX, &[frame]).is_some());
    assert_eq!(check_frames(&peer, features), 1);
});
