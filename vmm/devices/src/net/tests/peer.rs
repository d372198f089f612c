//! The other end of the wire.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::super::{NetDevice, Nic, Offloads, Wire};
use crate::virtio::testing::FakeDriver;

pub(super) const MEM: usize = 4 << 20;
pub(super) const MAC: &str = "02:00:00:00:00:07";
pub(super) const RX: u16 = 0;
pub(super) const TX: u16 = 1;
pub(super) const HEADER: [u8; 12] = [0; 12];

/// What the device asked its wire for, in order.
pub(super) type Asked = Arc<Mutex<Vec<Offloads>>>;

struct SocketWire {
    socket: UnixDatagram,
    asked: Asked,
}

impl AsFd for SocketWire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Wire for SocketWire {
    fn set_offloads(&mut self, offloads: Offloads) -> io::Result<()> {
        self.asked.lock().unwrap().push(offloads);
        Ok(())
    }
}

pub(super) struct Peer {
    pub(super) socket: UnixDatagram,
    pub(super) asked: Asked,
}

impl Peer {
    /// A peer and the wire to it.
    pub(super) fn new() -> (Self, Box<dyn Wire>) {
        // It keeps frames apart and knows when its other end is gone.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::SEQPACKET;
        let pair = socketpair(AddressFamily::UNIX, kind, flags, None).unwrap();
        let (ours, theirs) = (UnixDatagram::from(pair.0), UnixDatagram::from(pair.1));
        let asked = Asked::default();
        let wire = SocketWire {
            socket: theirs,
            asked: Arc::clone(&asked),
        };
        let peer = Self {
            socket: ours,
            asked,
        };
        (peer, Box::new(wire))
    }

    /// Send a frame of these bytes with an empty header.
    pub(super) fn send(&self, frame: &[u8]) {
        let whole = [&HEADER, frame].concat();
        assert_eq!(self.socket.send(&whole).unwrap(), whole.len());
    }

    /// The next frame, header and all.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut space = vec![0; 80_000];
        let len = self.socket.recv(&mut space).ok()?;
        space.truncate(len);
        Some(space)
    }
}

pub(super) fn nic() -> Nic {
    Nic {
        mac: MAC.parse().unwrap(),
        mtu: 1500,
    }
}

/// A driver that has started on a slot with a network.
pub(super) fn driver(wanted: u64) -> (FakeDriver<NetDevice>, Peer) {
    let (peer, wire) = Peer::new();
    let mut device = NetDevice::new().unwrap();
    device.plug(wire, nic()).unwrap();
    (FakeDriver::started(device, MEM, wanted), peer)
}

/// Bytes that tell where they belong.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}
