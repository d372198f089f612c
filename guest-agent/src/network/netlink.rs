//! Messages of `NETLINK_ROUTE` (rtnetlink(7)): only those that an interface needs.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const HEADER_BYTES: usize = 16;
const LINK_BYTES: usize = 16;
const IFLA_ADDRESS: u16 = 1;
/// The multicast group of changes to links.
const RTMGRP_LINK: u32 = 1;
/// More than any message of the kernel.
const SPACE: usize = 64 << 10;

/// A message under construction: a header, a fixed part, attributes.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        Self { bytes }
    }

    /// Add an attribute; every part begins at a multiple of 4.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.bytes.first_chunk_mut() {
            *place = length.to_ne_bytes();
        }
        self.bytes
    }
}

/// Whether to go on waiting after the links that are there now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Those of now.
    None,
    /// One that comes within this time as well.
    For(Duration),
}

/// A socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        Self::open_for(0)
    }

    fn open_for(groups: u32) -> io::Result<Self> {
        let (kind, flags) = (SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = socket_with(AddressFamily::NETLINK, kind, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        Ok(Self { socket })
    }

    /// Ask for a change, and wait for the kernel's answer.
    pub(super) fn change(&self, message: Message) -> io::Result<()> {
        let mut bytes = message.finish();
        if let Some(flags) = bytes.get_mut(6) {
            *flags |= NLM_F_ACK.to_ne_bytes()[0];
        }
        send(&self.socket, &bytes, SendFlags::empty())?;
        let mut space = vec![0; SPACE];
        loop {
            let (length, _) = recv(&self.socket, space.as_mut_slice(), RecvFlags::empty())?;
            for (kind, body) in messages(space.get(..length).unwrap_or_default()) {
                if kind == NLMSG_ERROR {
                    return error_of(body);
                }
            }
        }
    }

    /// Index of the interface with this address in this namespace; `None`: there is none within the time.
    pub(super) fn find(mac: [u8; 6], patience: Patience) -> io::Result<Option<u32>> {
        let watch = Self::open_for(RTMGRP_LINK)?;
        if let Patience::For(time) = patience {
            set_socket_timeout(&watch.socket, Timeout::Recv, Some(time))?;
        }
        // The news of later links comes on the same socket, so none is missed in between.
        let dump = Message::new(RTM_GETLINK, NLM_F_DUMP, &[0; LINK_BYTES]).finish();
        send(&watch.socket, &dump, SendFlags::empty())?;
        let mut space = vec![0; SPACE];
        loop {
            let length = match recv(&watch.socket, space.as_mut_slice(), RecvFlags::empty()) {
                Ok((length, _)) => length,
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for (kind, body) in messages(space.get(..length).unwrap_or_default()) {
                match kind {
                    RTM_NEWLINK if address(body) == Some(&mac) => return Ok(index(body)),
                    NLMSG_ERROR => error_of(body)?,
                    NLMSG_DONE if patience == Patience::None => return Ok(None),
                    _ => {}
                }
            }
        }
    }
}

/// Kind and body of each message.
pub(super) fn messages(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let Some((length, kind)) = bytes.get(..6).and_then(|head| {
        let length = u32::from_ne_bytes(*head.first_chunk()?);
        Some((
            usize::try_from(length).ok()?,
            u16::from_ne_bytes([head[4], head[5]]),
        ))
    }) {
        let Some(body) = bytes.get(HEADER_BYTES..length) else {
            break;
        };
        all.push((kind, body));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// An error message with the number 0 is an acknowledgement.
fn error_of(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|number| i32::from_ne_bytes(*number)) {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
        None => Err(io::Error::other("answer of netlink is cut off")),
    }
}

fn index(link: &[u8]) -> Option<u32> {
    let bytes = link.get(4..8)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// The address of a link.
pub(super) fn address(link: &[u8]) -> Option<&[u8]> {
    let mut rest = link.get(LINK_BYTES..)?;
    loop {
        let head = rest.get(..4)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes([head[2], head[3]]) == IFLA_ADDRESS {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}
