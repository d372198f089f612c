//! What clients do: connect, name a port, write, hang up.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use vmm_sys_util::epoll::EventSet;

use super::table::{Muxer, Stage, Stream};
use crate::vsock::host::handshake::{self, Handshake};
use crate::vsock::host::poller::Ready;
use crate::vsock::packet::{SHUT_BOTH, SHUT_RECEIVE};
use crate::vsock::stream::Client;

/// Clients taken from the backlog in one call; the rest keeps the set readable.
const ACCEPTS: usize = 64;

/// When the listener is tried again after it could not give a client for want of descriptors or memory.
const RETRY: Duration = Duration::from_secs(1);

impl Muxer {
    /// Takes what is ready on the host side.
    pub(crate) fn on_host(&mut self) {
        for ready in self.poller.wait() {
            match ready {
                Ready::Listener => self.accept_clients(),
                Ready::Deadline => self.on_deadline(),
                Ready::Client(port, events) => self.on_client(port, events),
            }
        }
    }

    fn accept_clients(&mut self) {
        for _ in 0..ACCEPTS {
            if self.deadlines.len() >= self.config.limits.handshakes {
                return self.stop_listening();
            }
            match self.poller.accept() {
                Ok(client) => self.on_accepted(client),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return,
                    Some(libc::ECONNABORTED | libc::EINTR) => {}
                    _ => {
                        self.stop_listening();
                        return self.poller.arm(RETRY);
                    }
                },
            }
        }
    }

    fn stop_listening(&mut self) {
        if let Err(error) = self.poller.listen(false) {
            tracing::warn!(%error, "vsock: the listener cannot be paused");
        }
    }

    /// The listener gives clients again, where nothing is against it.
    pub(super) fn listen_again(&mut self) {
        if self.deadlines.len() < self.config.limits.handshakes
            && let Err(error) = self.poller.listen(true)
        {
            tracing::warn!(%error, "vsock: the listener cannot be watched");
            self.poller.arm(RETRY);
        }
    }

    fn on_accepted(&mut self, socket: UnixStream) {
        if self.streams.len() >= self.config.limits.streams {
            self.forget_closing();
            return;
        }
        let port = self.allocate_port();
        if self.poller.add(&socket, port).is_err() {
            return;
        }
        self.streams.insert(
            port,
            Stream {
                stage: Stage::Handshake,
                client: Some(Client::new(socket, port)),
                queued: false,
                charge: 0,
            },
        );
        let deadline = Instant::now() + self.config.limits.handshake_time;
        self.deadlines.push_back((deadline, port));
        if self.deadlines.len() == 1 {
            self.poller.arm(self.config.limits.handshake_time);
        }
        self.on_handshake(port);
    }

    /// Streams that only wait for the guest's reset wait no longer.
    fn forget_closing(&mut self) {
        let closing: Vec<u32> = self
            .streams
            .iter_mut()
            .filter_map(|(port, stream)| match &mut stream.stage {
                Stage::Guest(connection) if connection.is_closing() => {
                    connection.abort();
                    Some(*port)
                }
                _ => None,
            })
            .collect();
        for port in closing {
            self.settle(port);
        }
    }

    fn on_deadline(&mut self) {
        let now = Instant::now();
        while let Some(&(deadline, port)) = self.deadlines.front() {
            if deadline > now {
                self.poller.arm(deadline - now);
                break;
            }
            self.deadlines.pop_front();
            self.remove(port);
        }
        self.listen_again();
    }

    fn on_handshake(&mut self, port: u32) {
        let Some(Stream {
            stage: Stage::Handshake,
            client: Some(client),
            ..
        }) = self.streams.get(&port)
        else {
            return;
        };
        match handshake::read(&client.socket) {
            Handshake::Unfinished => {}
            Handshake::Refused => self.remove(port),
            Handshake::Port(guest_port) => {
                self.deadlines.retain(|(_, other)| *other != port);
                self.listen_again();
                if self.open && !self.paused {
                    self.offer(port, guest_port);
                } else if self.held.len() >= self.config.limits.held {
                    self.remove(port);
                } else if let Some(stream) = self.streams.get_mut(&port) {
                    stream.stage = Stage::Held(guest_port);
                    self.held.push_back(port);
                }
            }
        }
    }

    fn on_client(&mut self, port: u32, events: EventSet) {
        let hung_up = events.intersects(EventSet::HANG_UP | EventSet::ERROR);
        let Some(stream) = self.streams.get_mut(&port) else {
            return;
        };
        match (&mut stream.stage, hung_up) {
            (Stage::Handshake, false) => return self.on_handshake(port),
            (Stage::Held(_), false) => return,
            (Stage::Handshake | Stage::Held(_) | Stage::Detached, true) => {
                return self.remove(port);
            }
            (Stage::Guest(_) | Stage::Detached, _) => {}
        }
        let Some(client) = &mut stream.client else {
            return;
        };
        if events.intersects(EventSet::IN | EventSet::READ_HANG_UP) || hung_up {
            client.readable = true;
        }
        let written = if events.contains(EventSet::OUT) {
            client.flush(&self.poller)
        } else {
            0
        };
        if let Stage::Guest(connection) = &mut stream.stage {
            connection.forwarded(written);
            // A client that is gone is reported to the guest by what reads it to its end, unless nobody will.
            if hung_up && (client.ended || !connection.takes_data()) {
                connection.shut(SHUT_BOTH);
                stream.client = None;
            } else if client.is_deaf() && !hung_up {
                connection.shut(SHUT_RECEIVE);
            }
        }
        self.settle(port);
    }
}
