//! A guest behind the driver: it accepts, sends within its credit, and gives credit back.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, channel};

use super::driver::Driver;
use crate::virtio::VirtioDevice;
use crate::vsock::packet::{HOST_CID, Header, TYPE_STREAM, op};
use crate::vsock::{Doorbell, Doorbells, Limits, Vsock, VsockConfig};

pub(super) const CID: u32 = 3;
pub(super) const STARTED: u32 = 1;
pub(super) const READY: u32 = 2;

/// Receive buffer that the guest promises for a stream.
pub(super) const GUEST_BUFFER: u32 = 256 * 1024;

/// Device, driver, and the path of the socket.
pub(super) struct Machine {
    pub(super) device: Vsock,
    pub(super) driver: Driver,
    pub(super) doorbells: Receiver<Doorbell>,
    directory: tempfile::TempDir,
}

/// One stream of the guest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GuestStream {
    pub(super) host_port: u32,
    pub(super) guest_port: u32,
    pub(super) buf_alloc: u32,
    pub(super) fwd_cnt: u32,
}

impl GuestStream {
    pub(super) fn header(&self, op: u16, len: usize, flags: u32) -> Header {
        Header {
            src_cid: u64::from(CID),
            dst_cid: HOST_CID,
            src_port: self.guest_port,
            dst_port: self.host_port,
            len: u32::try_from(len).unwrap(),
            kind: TYPE_STREAM,
            op,
            flags,
            buf_alloc: self.buf_alloc,
            fwd_cnt: self.fwd_cnt,
        }
    }
}

pub(super) fn config() -> VsockConfig {
    VsockConfig {
        guest_cid: CID,
        doorbells: Doorbells {
            started: STARTED,
            ready: READY,
        },
        limits: Limits::default(),
    }
}

impl Machine {
    /// A machine whose guest has not rung yet.
    pub(super) fn new(config: VsockConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("vsock")).unwrap();
        let (news, doorbells) = channel();
        let report = Box::new(move |doorbell| news.send(doorbell).unwrap_or_default());
        let mut device = Vsock::new(config, listener.into(), report).unwrap();
        let driver = Driver::new(&device);
        device.activate(0);
        Self {
            device,
            driver,
            doorbells,
            directory,
        }
    }

    /// A machine whose guest listens.
    pub(super) fn ready() -> Self {
        let mut machine = Self::new(config());
        machine.ring(READY);
        machine.driver.received.clear();
        machine
    }

    pub(super) fn ring(&mut self, port: u32) {
        let stream = GuestStream {
            host_port: port,
            guest_port: port.wrapping_add(5000),
            ..GuestStream::default()
        };
        self.send(&stream.header(op::REQUEST, 0, 0), &[]);
        self.run();
    }

    pub(super) fn send(&mut self, header: &Header, payload: &[u8]) {
        self.driver.send(*header, payload);
    }

    pub(super) fn run(&mut self) {
        self.driver.run(&mut self.device);
    }

    /// A client that has only connected.
    pub(super) fn connect(&self) -> UnixStream {
        UnixStream::connect(self.directory.path().join("vsock")).unwrap()
    }

    /// A client that wants `port`, the device having heard of it.
    pub(super) fn ask(&mut self, port: u32) -> UnixStream {
        let client = self.connect();
        (&client)
            .write_all(format!("CONNECT {port}\n").as_bytes())
            .unwrap();
        self.run();
        client
    }

    /// The next packet to the guest.
    pub(super) fn packet(&mut self) -> (Header, Vec<u8>) {
        self.run();
        self.driver.received.pop_front().expect("a packet")
    }

    /// A stream that the guest has accepted.
    pub(super) fn open(&mut self, port: u32) -> (UnixStream, GuestStream) {
        let client = self.ask(port);
        let (request, _) = self.packet();
        assert_eq!(request.op, op::REQUEST);
        let stream = self.accept(&request);
        assert_eq!(line(&client), format!("OK {}\n", stream.host_port));
        (client, stream)
    }

    /// Accepts a request.
    pub(super) fn accept(&mut self, request: &Header) -> GuestStream {
        let stream = GuestStream {
            host_port: request.src_port,
            guest_port: request.dst_port,
            buf_alloc: GUEST_BUFFER,
            fwd_cnt: 0,
        };
        self.send(&stream.header(op::RESPONSE, 0, 0), &[]);
        self.run();
        stream
    }
}

/// Reads one line byte by byte.
pub(super) fn line(mut client: &UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while bytes.last() != Some(&b'\n') {
        client.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    String::from_utf8(bytes).unwrap()
}
