//! The plug of a slot: the wire, one frame on its way in each direction, and what is waited for.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::config::{HEADER_LEN, MAX_FRAME, MIN_FRAME, Nic, Offloads};
use super::error::PlugError;

/// A network: each read takes a frame with its header, each write gives one, and neither blocks.
pub trait Wire: AsFd + Send {
    /// What may be read from now on.
    ///
    /// # Errors
    /// The network does not know it.
    fn set_offloads(&mut self, offloads: Offloads) -> io::Result<()>;
}

/// What a port is ready for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub(super) writable: bool,
    pub(super) gone: bool,
}

/// What becomes of a frame that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// It waits in the port; nothing more may be loaded.
    Waits,
    /// The network does not take it.
    Lost,
}

/// The set that a slot's worker waits for; it is there with and without a port.
#[derive(Debug)]
pub(super) struct Waiter {
    set: OwnedFd,
}

impl Waiter {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            set: epoll::create(CreateFlags::CLOEXEC)?,
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.set.as_fd()
    }

    /// What is ready now.
    pub(super) fn ready(&self) -> Ready {
        let mut space = [MaybeUninit::<Event>::uninit(); 1];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let Ok((events, _)) = epoll::wait(&self.set, &mut space, Some(&now)) else {
            return Ready::default();
        };
        events.first().map_or_else(Ready::default, |event| {
            let flags = event.flags;
            Ready {
                writable: flags.contains(EventFlags::OUT),
                gone: flags.intersects(EventFlags::ERR | EventFlags::HUP),
            }
        })
    }
}

/// A network in a slot.
pub(super) struct Port {
    wire: Box<dyn Wire>,
    pub(super) nic: Nic,
    received: Vec<u8>,
    received_len: Option<usize>,
    sending: Vec<u8>,
    sending_len: Option<usize>,
    watched: EventFlags,
    gone: bool,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("nic", &self.nic)
            .field("watched", &self.watched)
            .field("gone", &self.gone)
            .finish_non_exhaustive()
    }
}

impl Port {
    pub(super) fn new(wire: Box<dyn Wire>, nic: Nic, waiter: &Waiter) -> Result<Self, PlugError> {
        let none = EventFlags::empty();
        epoll::add(&waiter.set, &wire, EventData::new_u64(0), none)
            .map_err(|errno| PlugError::host("watch of the network")(errno.into()))?;
        Ok(Self {
            wire,
            nic,
            received: vec![0; MAX_FRAME],
            received_len: None,
            sending: vec![0; MAX_FRAME],
            sending_len: None,
            watched: none,
            gone: false,
        })
    }

    /// Whether frames can come and go.
    pub(super) fn is_up(&self) -> bool {
        !self.gone
    }

    /// Set offloads and forget what is on its way: the driver begins, or begins anew.
    pub(super) fn restart(&mut self, offloads: Offloads, waiter: &Waiter) {
        self.received_len = None;
        self.sending_len = None;
        if let Err(error) = self.wire.set_offloads(offloads) {
            tracing::warn!(mac = %self.nic.mac, %error, "network without its offloads is down");
            self.lose(waiter);
        }
    }

    /// The network is gone for good: nothing is waited for any more.
    pub(super) fn lose(&mut self, waiter: &Waiter) {
        if !self.gone {
            self.gone = true;
            self.unwatch(waiter);
        }
    }

    /// Take the wire out of the set: its descriptor may live on in another process.
    pub(super) fn unwatch(&self, waiter: &Waiter) {
        // Fails only if it is not there.
        let _ = epoll::delete(&waiter.set, &self.wire);
    }

    /// Wait for frames if `frames` can be taken, and for room if a frame waits for it.
    pub(super) fn watch(&mut self, waiter: &Waiter, frames: bool) {
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, frames && self.received_len.is_none());
        wanted.set(EventFlags::OUT, self.sending_len.is_some());
        if self.gone || wanted == self.watched {
            return;
        }
        match epoll::modify(&waiter.set, &self.wire, EventData::new_u64(0), wanted) {
            Ok(()) => self.watched = wanted,
            Err(error) => {
                tracing::warn!(mac = %self.nic.mac, %error, "network that cannot be watched is down");
                self.lose(waiter);
            }
        }
    }

    /// The frame that arrived and was not taken yet, header and all; a new one if there is none.
    pub(super) fn frame(&mut self, waiter: &Waiter) -> Option<&mut [u8]> {
        while self.received_len.is_none() && !self.gone {
            match rustix::io::read(&self.wire, self.received.as_mut_slice()) {
                Ok(0) => self.lose(waiter),
                Ok(len) if len < HEADER_LEN + MIN_FRAME => {}
                Ok(len) => self.received_len = Some(len),
                Err(Errno::AGAIN) => return None,
                Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::info!(mac = %self.nic.mac, %error, "network is gone");
                    self.lose(waiter);
                }
            }
        }
        self.received.get_mut(..self.received_len?)
    }

    /// The frame of [`Self::frame`] was dealt with.
    pub(super) fn frame_done(&mut self) {
        self.received_len = None;
    }

    /// Whether a frame was read and not taken yet.
    pub(super) fn has_frame(&self) -> bool {
        self.received_len.is_some()
    }

    /// Length of the frame that waits for the network.
    pub(super) fn blocked_len(&self) -> usize {
        self.sending_len.unwrap_or(0)
    }

    /// Whether a frame waits for the network to take it.
    pub(super) fn is_blocked(&self) -> bool {
        self.sending_len.is_some()
    }

    /// Where the next frame is put together; only while [`Self::is_blocked`] is false.
    pub(super) fn outgoing(&mut self) -> &mut [u8] {
        &mut self.sending
    }

    /// Send the first `len` bytes of [`Self::outgoing`].
    pub(super) fn send(&mut self, len: usize) -> Sent {
        self.sending_len = Some(len);
        self.send_waiting()
    }

    /// Try again with the frame that waits.
    pub(super) fn send_waiting(&mut self) -> Sent {
        let Some(frame) = self.sending_len.and_then(|len| self.sending.get(..len)) else {
            return Sent::Whole;
        };
        let sent = loop {
            match rustix::io::write(&self.wire, frame) {
                Ok(_) => break Sent::Whole,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if !self.gone => return Sent::Waits,
                Err(error) => {
                    // A tap that is down, a header that the host's kernel does not like.
                    tracing::debug!(mac = %self.nic.mac, %error, "frame is lost");
                    break Sent::Lost;
                }
            }
        };
        self.sending_len = None;
        sent
    }
}
