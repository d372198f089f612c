//! epoll with named sources.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use husk_devices::virtio::MmioHandler;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

use super::room;

/// Events taken from the kernel at a time.
const BATCH: usize = 32;

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Somebody wants this thread to look at its letterbox.
    Wake,
    /// The guest kicked a queue.
    Kick {
        /// Index of the slot in this worker.
        slot: u16,
        /// Index of the queue.
        queue: u16,
    },
    /// A device's host side.
    Host {
        /// Index of the slot in this worker.
        slot: u16,
    },
    /// A new control connection.
    Listener,
    /// A control connection.
    Connection(u32),
}

impl Source {
    fn to_bits(self) -> u64 {
        let (kind, value) = match self {
            Self::Wake => (0, 0),
            Self::Kick { slot, queue } => (1, u64::from(slot) << 16 | u64::from(queue)),
            Self::Host { slot } => (2, u64::from(slot)),
            Self::Listener => (3, 0),
            Self::Connection(id) => (4, u64::from(id)),
        };
        kind << 32 | value
    }

    fn from_bits(bits: u64) -> Option<Self> {
        let [a, b, c, d, kind, ..] = bits.to_le_bytes();
        let (low, high) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        match kind {
            0 => Some(Self::Wake),
            1 => Some(Self::Kick {
                slot: high,
                queue: low,
            }),
            2 => Some(Self::Host { slot: low }),
            3 => Some(Self::Listener),
            4 => Some(Self::Connection(u32::from_le_bytes([a, b, c, d]))),
            _ => None,
        }
    }
}

/// What is waited for on a socket; its end is always news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Something to read.
    pub(crate) read: bool,
    /// Room to write.
    pub(crate) write: bool,
}

impl Interest {
    fn flags(self) -> EventFlags {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.read);
        flags.set(EventFlags::OUT, self.write);
        flags
    }
}

/// One source that is ready, and whether its other side is gone altogether.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) source: Source,
    pub(crate) gone: bool,
}

/// A set of descriptors to wait for.
#[derive(Debug)]
pub(crate) struct Poll {
    set: OwnedFd,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            set: epoll::create(CreateFlags::CLOEXEC)?,
        })
    }

    /// Wait for a socket.
    pub(crate) fn add(&self, fd: impl AsFd, source: Source, on: Interest) -> io::Result<()> {
        self.add_flags(fd.as_fd(), source, on.flags())
    }

    /// Wait for something else on the same socket.
    pub(crate) fn change(&self, fd: impl AsFd, source: Source, on: Interest) -> io::Result<()> {
        let data = EventData::new_u64(source.to_bits());
        Ok(epoll::modify(&self.set, fd, data, on.flags())?)
    }

    /// Forget a socket, which may have another descriptor in this process.
    pub(crate) fn remove(&self, fd: impl AsFd) {
        // Fails only if it is not there.
        let _ = epoll::delete(&self.set, fd);
    }

    /// Wait for every write to an eventfd: edge-triggered, so that nobody has to read it.
    pub(crate) fn add_event(&self, event: &EventFd, source: Source) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::ET;
        self.add_flags(room::event_fd(event), source, flags)
    }

    /// Wait for a device's host side, if it has one.
    pub(crate) fn add_host(&self, device: &dyn MmioHandler, source: Source) -> io::Result<()> {
        match room::host_fd(device) {
            Some(fd) => self.add_flags(fd, source, EventFlags::IN),
            None => Ok(()),
        }
    }

    fn add_flags(&self, fd: BorrowedFd<'_>, source: Source, on: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(source.to_bits());
        Ok(epoll::add(&self.set, fd, data, on)?)
    }

    /// Wait until something is ready, at most for `timeout`, and put it into `ready` in place of what is there.
    pub(crate) fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = timeout.map(|limit| Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        ready.clear();
        let mut space = [MaybeUninit::<Event>::uninit(); BATCH];
        let events = match epoll::wait(&self.set, &mut space, timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(Errno::INTR) => return Ok(()),
            Err(other) => return Err(other.into()),
        };
        ready.extend(events.iter().filter_map(|event| {
            let (data, flags) = (event.data, event.flags);
            let source = Source::from_bits(data.u64())?;
            let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            Some(Ready { source, gone })
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn source_survives_the_way_through_the_kernel() {
        let (slot, queue) = (0x1234, 0x5678);
        for source in [
            Source::Wake,
            Source::Kick { slot, queue },
            Source::Host { slot },
            Source::Listener,
            Source::Connection(0x9abc_def0),
        ] {
            assert_eq!(Source::from_bits(source.to_bits()), Some(source));
        }
    }
}
