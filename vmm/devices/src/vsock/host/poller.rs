//! One epoll set: the listener, a deadline, a wake-up of our own, and every client.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};
use vmm_sys_util::timerfd::TimerFd;

use crate::vsock::error::VsockError;

const LISTENER: u64 = 0;
const DEADLINE: u64 = 1;
const WAKE: u64 = 2;

/// Ports below this one are never given to a client, so that a port can be its token.
pub(crate) const FIRST_PORT: u32 = 1 << 30;

/// Events that one call takes; the rest keeps the set readable.
const BATCH: usize = 64;

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// A client waits to be accepted.
    Listener,
    /// The deadline has passed.
    Deadline,
    /// The client of this host port.
    Client(u32, EventSet),
}

/// Whether a client's socket is watched for room to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Data and the end of it.
    Read,
    /// Also room to write.
    ReadWrite,
}

/// See the file's head.
pub(crate) struct Poller {
    epoll: Epoll,
    listener: UnixListener,
    listening: bool,
    deadline: TimerFd,
    wake: EventFd,
}

impl Poller {
    /// Takes over a listening socket.
    pub(crate) fn new(listener: OwnedFd) -> Result<Self, VsockError> {
        let fail = |what| move |source| VsockError::Host { what, source };
        let listener = UnixListener::from(listener);
        listener
            .set_nonblocking(true)
            .map_err(fail("non-blocking listener"))?;
        let epoll = Epoll::new().map_err(fail("epoll set"))?;
        let deadline = TimerFd::new()
            .map_err(io::Error::from)
            .map_err(fail("timer"))?;
        let wake = EventFd::new(EFD_NONBLOCK).map_err(fail("event descriptor"))?;
        let mut poller = Self {
            epoll,
            listener,
            listening: false,
            deadline,
            wake,
        };
        poller.listen(true).map_err(fail("watch of the listener"))?;
        for (fd, token) in [
            (poller.deadline.as_raw_fd(), DEADLINE),
            (poller.wake.as_raw_fd(), WAKE),
        ] {
            poller
                .epoll
                .ctl(
                    ControlOperation::Add,
                    fd,
                    EpollEvent::new(EventSet::IN, token),
                )
                .map_err(fail("watch of own descriptors"))?;
        }
        Ok(poller)
    }

    /// Readable while [`Self::wait`] has something.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        let fd = self.epoll.as_raw_fd();
        // SAFETY: the descriptor is owned by `self.epoll`, which lives as long as the returned borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// What is ready now; never waits.
    pub(crate) fn wait(&mut self) -> Vec<Ready> {
        let mut events = [EpollEvent::default(); BATCH];
        let count = self.epoll.wait(0, &mut events).unwrap_or(0);
        let mut ready = Vec::with_capacity(count);
        for event in events.iter().take(count) {
            match event.data() {
                LISTENER => ready.push(Ready::Listener),
                DEADLINE => {
                    if self.deadline.wait().is_ok() {
                        ready.push(Ready::Deadline);
                    }
                }
                // An error is EAGAIN: the wake-up was taken before.
                WAKE => drop(self.wake.read()),
                token => {
                    if let Ok(port) = u32::try_from(token) {
                        ready.push(Ready::Client(port, event.event_set()));
                    }
                }
            }
        }
        ready
    }

    /// Makes the set readable once.
    pub(crate) fn wake(&self) {
        // Fails only when the counter is full, and then the set is readable.
        drop(self.wake.write(1));
    }

    /// The next client of the backlog.
    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        let (client, _) = self.listener.accept()?;
        client.set_nonblocking(true)?;
        Ok(client)
    }

    /// Starts or stops taking clients from the backlog.
    pub(crate) fn listen(&mut self, on: bool) -> io::Result<()> {
        if on == self.listening {
            return Ok(());
        }
        let operation = if on {
            ControlOperation::Add
        } else {
            ControlOperation::Delete
        };
        let event = EpollEvent::new(EventSet::IN, LISTENER);
        self.epoll
            .ctl(operation, self.listener.as_raw_fd(), event)?;
        self.listening = on;
        Ok(())
    }

    /// Watches a client. Edge-triggered: a level would keep the set readable while the guest has no room.
    /// Closing the socket ends the watch.
    pub(crate) fn add(&self, client: &UnixStream, port: u32) -> io::Result<()> {
        self.control(ControlOperation::Add, client, port, Watch::Read)
    }

    /// Changes what a client is watched for; what is ready already is reported again.
    pub(crate) fn change(&self, client: &UnixStream, port: u32, watch: Watch) -> io::Result<()> {
        self.control(ControlOperation::Modify, client, port, watch)
    }

    fn control(
        &self,
        operation: ControlOperation,
        client: &UnixStream,
        port: u32,
        watch: Watch,
    ) -> io::Result<()> {
        let mut events = EventSet::IN | EventSet::READ_HANG_UP | EventSet::EDGE_TRIGGERED;
        if watch == Watch::ReadWrite {
            events |= EventSet::OUT;
        }
        let event = EpollEvent::new(events, u64::from(port));
        self.epoll.ctl(operation, client.as_raw_fd(), event)
    }

    /// Asks for [`Ready::Deadline`] after `time`.
    pub(crate) fn arm(&mut self, time: Duration) {
        // A zero time would disarm the timer. Resetting a timer that exists, to a time that is valid, cannot fail.
        let time = time.max(Duration::from_millis(1));
        let _ = self.deadline.reset(time, None);
    }
}
