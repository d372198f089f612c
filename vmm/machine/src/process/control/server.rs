//! All control connections together, inside of one thread's loop.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::connection::Connection;
use super::letterbox::{Handle, Letter, Letterbox};
use super::order::{ConnectionId, Order};
use crate::process::poll::{Interest, Poll, Ready, Source};

/// Connections at one time, the launch socket among them.
const MAX_CONNECTIONS: usize = 16;

/// How long the last news may take to reach the clients' sockets.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// How long nobody is accepted after the host had no descriptor or memory left: no event tells when it has.
const REST_TIME: Duration = Duration::from_secs(1);

/// The control connections of a machine.
pub struct Server {
    listener: Option<UnixListener>,
    connections: BTreeMap<u32, (Connection, Interest)>,
    next: u32,
    letterbox: Arc<Letterbox>,
    orders: Box<dyn FnMut(Order) + Send>,
    farewell: Option<Instant>,
    /// The listener is not watched until then.
    rest: Option<Instant>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("connections", &self.connections.len())
            .field("farewell", &self.farewell)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Serve the launch socket and those who connect to `listener`; each order goes to `orders`.
    ///
    /// # Errors
    /// A socket cannot be made non-blocking, or no descriptor is left.
    pub fn new(
        launch: UnixStream,
        listener: Option<UnixListener>,
        orders: Box<dyn FnMut(Order) + Send>,
    ) -> io::Result<(Self, Handle)> {
        launch.set_nonblocking(true)?;
        if let Some(listener) = &listener {
            listener.set_nonblocking(true)?;
        }
        let letterbox = Letterbox::new()?;
        let handle = Handle::new(Arc::clone(&letterbox));
        let mut server = Self {
            listener,
            connections: BTreeMap::new(),
            next: 0,
            letterbox,
            orders,
            farewell: None,
            rest: None,
        };
        server.insert(launch.into());
        Ok((server, handle))
    }

    /// Watch every descriptor.
    pub(in crate::process) fn register(&self, poll: &Poll) -> io::Result<()> {
        poll.add_event(&self.letterbox.wake, Source::Wake)?;
        if let Some(listener) = &self.listener {
            let on = Interest {
                read: true,
                write: false,
            };
            poll.add(listener, Source::Listener, on)?;
        }
        for (id, (connection, interest)) in &self.connections {
            poll.add(connection, Source::Connection(*id), *interest)?;
        }
        Ok(())
    }

    /// Deal with what is ready.
    pub(in crate::process) fn serve(&mut self, poll: &Poll, ready: Ready) {
        match ready.source {
            Source::Wake => self.post(),
            Source::Listener => self.accept(poll),
            Source::Connection(id) => self.attend(id, ready.gone),
            Source::Kick { .. } | Source::Host { .. } => {}
        }
        self.tidy(poll);
    }

    /// How long to wait for events at the most: the farewell's time, or the listener's rest.
    pub(in crate::process) fn time_left(&self) -> Option<Duration> {
        let end = self.farewell.into_iter().chain(self.rest).min()?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Accept again if the rest is over.
    pub(in crate::process) fn end_rest(&mut self, poll: &Poll) {
        if self.rest.is_some_and(|end| Instant::now() >= end) {
            self.rest = None;
            self.watch_listener(poll, true);
        }
    }

    /// Whether the last news is out, or has taken too long.
    pub(in crate::process) fn finished(&self) -> bool {
        let flushed = || self.connections.values().all(|(one, _)| one.is_flushed());
        self.farewell
            .is_some_and(|end| flushed() || Instant::now() >= end)
    }

    fn insert(&mut self, socket: OwnedFd) -> u32 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let connection = Connection::new(ConnectionId(id), socket);
        let interest = connection.interest();
        self.connections.insert(id, (connection, interest));
        id
    }

    fn post(&mut self) {
        for letter in self.letterbox.take() {
            match letter {
                Letter::Reply { to, frame } => {
                    if let Some((connection, _)) = self.connections.get_mut(&to.0) {
                        connection.reply(&frame);
                    }
                }
                Letter::News { frame, last } => {
                    for (connection, _) in self.connections.values_mut() {
                        connection.say(&frame);
                    }
                    if last {
                        self.farewell = Some(Instant::now() + FAREWELL_TIME);
                    }
                }
            }
        }
    }

    fn accept(&mut self, poll: &Poll) {
        let Some(listener) = &self.listener else {
            return;
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match accept_with(listener, flags) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                tracing::warn!("the host has no room for another control connection");
                // A listener that stays ready would keep this thread from its work.
                self.rest = Some(Instant::now() + REST_TIME);
                self.watch_listener(poll, false);
                return;
            }
            Err(error) => {
                tracing::error!(%error, "no more control connections are accepted");
                poll.remove(listener);
                return;
            }
        };
        if self.connections.len() >= MAX_CONNECTIONS {
            let mut refused = Connection::new(ConnectionId(self.next), socket);
            refused.refuse(&format!("{MAX_CONNECTIONS} control connections are open"));
            return;
        }
        let id = self.insert(socket);
        if let Some((connection, interest)) = self.connections.get(&id)
            && let Err(error) = poll.add(connection, Source::Connection(id), *interest)
        {
            tracing::error!(%error, "control connection dropped");
            self.connections.remove(&id);
        }
    }

    fn watch_listener(&self, poll: &Poll, read: bool) {
        let Some(listener) = &self.listener else {
            return;
        };
        let interest = Interest { read, write: false };
        if let Err(error) = poll.change(listener, Source::Listener, interest) {
            tracing::error!(%error, "no more control connections are accepted");
        }
    }

    fn attend(&mut self, id: u32, gone: bool) {
        let Some((connection, _)) = self.connections.get_mut(&id) else {
            return;
        };
        if self.farewell.is_none() {
            connection.read(&mut self.orders);
        }
        if gone {
            connection.hang_up();
        }
        connection.flush();
    }

    /// Forget what is over, and wait for what each of the others needs now.
    fn tidy(&mut self, poll: &Poll) {
        let farewell = self.farewell.is_some();
        self.connections.retain(|id, (connection, watched)| {
            let mut wanted = connection.interest();
            wanted.read &= !farewell;
            if !connection.is_over() && wanted != *watched {
                *watched = wanted;
                if let Err(error) = poll.change(connection.as_fd(), Source::Connection(*id), wanted)
                {
                    tracing::error!(%error, "control connection dropped");
                    connection.hang_up();
                }
            }
            let over = connection.is_over();
            if over {
                poll.remove(connection.as_fd());
            }
            !over
        });
    }
}

#[cfg(test)]
#[path = "tests/server.rs"]
mod tests;
