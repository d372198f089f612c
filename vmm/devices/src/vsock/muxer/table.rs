//! The streams and their bounds.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

use crate::vsock::config::{Doorbell, Limits, VsockConfig, VsockState};
use crate::vsock::error::VsockError;
use crate::vsock::host::poller::{FIRST_PORT, Poller};
use crate::vsock::packet::Header;
use crate::vsock::stream::{Client, Connection};

/// Where a stream is on its way from the client to the guest.
#[derive(Debug)]
pub(super) enum Stage {
    /// The client has not named its port yet.
    Handshake,
    /// The guest's port, which is offered at the ready doorbell.
    Held(u32),
    /// The guest was or is to be asked.
    Guest(Connection),
    /// The guest is done; the client still gets what is buffered.
    Detached,
}

/// A connection of a client, on its way or established.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) stage: Stage,
    pub(super) client: Option<Client>,
    /// In the queue of those that have something to say.
    pub(super) queued: bool,
    /// Bytes of the total promise that are this stream's.
    pub(super) charge: usize,
}

/// All streams of one device.
pub(crate) struct Muxer {
    pub(super) guest_cid: u64,
    pub(super) config: VsockConfig,
    pub(super) poller: Poller,
    pub(super) streams: HashMap<u32, Stream>,
    /// When each unfinished handshake ends; as long as there are such, so never many.
    pub(super) deadlines: VecDeque<(Instant, u32)>,
    /// Clients that wait for the ready doorbell, in their order.
    pub(super) held: VecDeque<u32>,
    /// Streams that have something to say to the guest.
    pub(super) ready: VecDeque<u32>,
    /// Resets for packets of no stream.
    pub(super) replies: VecDeque<Header>,
    pub(super) report: Box<dyn Fn(Doorbell) + Send>,
    pub(super) started: bool,
    pub(super) open: bool,
    /// A restored guest has not forgotten its old streams yet: a new one would be forgotten with them.
    pub(super) paused: bool,
    next_port: u32,
    promised: usize,
}

impl fmt::Debug for Muxer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Muxer")
            .field("config", &self.config)
            .field("streams", &self.streams.len())
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Muxer {
    /// No streams yet; clients are taken from `listener` from now on.
    pub(crate) fn new(
        config: VsockConfig,
        listener: OwnedFd,
        report: Box<dyn Fn(Doorbell) + Send>,
    ) -> Result<Self, VsockError> {
        Ok(Self {
            guest_cid: u64::from(config.guest_cid),
            config,
            poller: Poller::new(listener)?,
            streams: HashMap::new(),
            deadlines: VecDeque::new(),
            held: VecDeque::new(),
            ready: VecDeque::new(),
            replies: VecDeque::new(),
            report,
            started: false,
            open: false,
            paused: false,
            next_port: FIRST_PORT,
            promised: 0,
        })
    }

    /// See [`crate::virtio::VirtioDevice::host_fd`].
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.poller.fd()
    }

    /// Context id of the guest.
    pub(crate) fn guest_cid(&self) -> u64 {
        self.guest_cid
    }

    /// Asks for one more call of [`Self::on_host`].
    pub(crate) fn wake(&self) {
        self.poller.wake();
    }

    /// What is saved.
    pub(crate) fn state(&self) -> VsockState {
        VsockState {
            guest_cid: self.config.guest_cid,
            started: self.started,
            ready: self.open,
            streams_lost: self.paused || self.streams.values().any(Stream::is_known_to_guest),
        }
    }

    /// Takes over what was saved.
    pub(crate) fn restore(&mut self, state: &VsockState) {
        self.guest_cid = u64::from(state.guest_cid);
        self.config.guest_cid = state.guest_cid;
        self.started = state.started;
        self.paused = state.streams_lost;
        self.open = state.ready;
        self.offer_held();
    }

    /// The driver is gone and every stream that it knew with it. Clients that it never heard of wait on:
    /// a driver's first act is a reset.
    pub(crate) fn reset(&mut self) {
        self.streams
            .retain(|_, stream| !matches!(stream.stage, Stage::Guest(_)));
        self.promised = self.streams.values().map(|stream| stream.charge).sum();
        self.ready.clear();
        self.replies.clear();
        self.paused = false;
        self.offer_held();
    }

    /// The restored guest has forgotten its old streams.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
        self.offer_held();
    }

    /// Offers what waited to the guest, where that makes sense by now.
    pub(super) fn offer_held(&mut self) {
        if !self.open || self.paused {
            return;
        }
        for port in std::mem::take(&mut self.held) {
            if let Some(&Stage::Held(guest_port)) = self.streams.get(&port).map(|s| &s.stage) {
                self.offer(port, guest_port);
            }
        }
        self.wake();
    }

    /// Makes the guest half of a stream.
    pub(super) fn offer(&mut self, port: u32, guest_port: u32) {
        let buffer = self.buffer();
        let charge = usize::try_from(buffer).unwrap_or(usize::MAX);
        if let Some(stream) = self.streams.get_mut(&port) {
            stream.stage = Stage::Guest(Connection::new(self.guest_cid, guest_port, port, buffer));
            stream.charge = charge;
            self.promised = self.promised.saturating_add(charge);
        }
        self.settle(port);
    }

    /// What the next stream is promised: much while there are few streams.
    fn buffer(&self) -> u32 {
        let limits = &self.config.limits;
        let share = limits.total_buffer.saturating_sub(self.promised) / 4;
        u32::try_from(share)
            .unwrap_or(u32::MAX)
            .min(limits.stream_buffer)
            .max(Limits::SMALLEST_BUFFER)
    }

    /// A port that no stream has. Ports come round only after a thousand million others.
    pub(super) fn allocate_port(&mut self) -> u32 {
        loop {
            let port = self.next_port;
            // The highest value means "any port".
            self.next_port = if port >= u32::MAX - 1 {
                FIRST_PORT
            } else {
                port + 1
            };
            if !self.streams.contains_key(&port) {
                return port;
            }
        }
    }

    /// After anything happened to a stream: forgets it when both halves are done, queues it when it has
    /// something to say.
    pub(super) fn settle(&mut self, port: u32) {
        let Some(stream) = self.streams.get_mut(&port) else {
            return;
        };
        if stream.client.as_ref().is_some_and(Client::is_done) {
            stream.client = None;
        }
        if matches!(&stream.stage, Stage::Guest(connection) if connection.is_over()) {
            stream.stage = Stage::Detached;
        }
        match &stream.stage {
            Stage::Guest(connection) => {
                let has_data = stream.client.as_ref().is_some_and(Client::has_data);
                if !stream.queued && connection.has_next(has_data) {
                    stream.queued = true;
                    self.ready.push_back(port);
                }
            }
            _ if stream.client.is_none() => self.remove(port),
            _ => {}
        }
    }

    /// Forgets a stream and closes its client.
    pub(super) fn remove(&mut self, port: u32) {
        if let Some(stream) = self.streams.remove(&port) {
            self.promised = self.promised.saturating_sub(stream.charge);
            match stream.stage {
                Stage::Handshake => self.deadlines.retain(|(_, other)| *other != port),
                Stage::Held(_) => self.held.retain(|other| *other != port),
                Stage::Guest(_) | Stage::Detached => {}
            }
            // A descriptor is free again, if that is what the listener lacked.
            self.listen_again();
        }
    }
}

impl Stream {
    fn is_known_to_guest(&self) -> bool {
        matches!(self.stage, Stage::Guest(_))
    }
}
