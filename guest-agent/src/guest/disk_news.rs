//! Events after which a disk may be there that was not before.
//!
//! A slot that had no disk yet gets its block device when the first one is put in: the kernel says so by a uevent, after
//! the device's files are there. A slot that had one keeps its block device, and a new capacity causes no uevent, but a
//! line in the kernel's log, after the capacity has changed. So both are listened to.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

use rustix::{
    fs::OFlags,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind,
        netlink::{KOBJECT_UEVENT, SocketAddrNetlink},
        recv, socket_with,
    },
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::readiness::watch;

/// Longer than any record of the log.
const RECORD_BYTES: usize = 8192;

/// The kernel's own multicast group of uevents.
const KERNEL_GROUP: u32 = 1;

/// Listens from its making on: only what happens later is news.
#[derive(Debug)]
pub(crate) struct DiskNews {
    log: AsyncFd<File>,
    uevents: AsyncFd<OwnedFd>,
}

impl DiskNews {
    pub(crate) fn listen() -> io::Result<Self> {
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut log = File::options()
            .read(true)
            .custom_flags(nonblocking)
            .open("/dev/kmsg")?;
        log.seek(SeekFrom::End(0))?;
        let uevents = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(KOBJECT_UEVENT),
        )?;
        bind(&uevents, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
        Ok(Self {
            log: watch(log, Interest::READABLE)?,
            uevents: watch(uevents, Interest::READABLE)?,
        })
    }

    /// Waits until something has happened, and forgets all that has happened so far.
    pub(crate) async fn next(&self) -> io::Result<()> {
        tokio::select! {
            logged = self.log.async_io(Interest::READABLE, take_record) => logged?,
            told = self.uevents.async_io(Interest::READABLE, take_uevent) => told?,
        }
        drain(|| take_record(self.log.get_ref()))?;
        drain(|| take_uevent(self.uevents.get_ref()))
    }
}

/// Takes what is there until nothing is.
fn drain(mut take: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match take() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn take_record(mut log: &File) -> io::Result<()> {
    let mut record = [0; RECORD_BYTES];
    match log.read(&mut record) {
        // Overwritten before it was read: also news.
        Err(error) if error.raw_os_error() == Some(libc::EPIPE) => Ok(()),
        other => other.map(drop),
    }
}

fn take_uevent(socket: &OwnedFd) -> io::Result<()> {
    // What it says does not matter, and so not whether it is cut.
    match recv(socket.as_fd(), &mut [0; 16], RecvFlags::empty()) {
        // More than the socket holds: also news.
        Err(rustix::io::Errno::NOBUFS) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
