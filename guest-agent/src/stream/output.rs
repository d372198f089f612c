//! A process's standard output or error on its way to the host.
//!
//! Nothing is kept in the agent: bytes stay in the pipe until a connection takes them, so a writer that nobody reads
//! from waits, and what was written before the process ended is still there for a later connection. `splice` hands the
//! pipe's pages to the socket without a copy through this process.
//!
//! The host says nothing on an output. Its half-close says that nobody will ever read the rest: the pipe is closed, and
//! who writes into it gets SIGPIPE, as without a machine in between. A connection that is closed whole or reset means
//! that the host was lost.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionread},
    pipe::{SpliceFlags, splice},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Mutex,
};

use super::{conn::Conn, newest::Newest};
use crate::readiness::watch;

/// As much as the pipe holds.
const SPLICE_BYTES: usize = 256 * 1024;

/// The agent's end of an output pipe.
#[derive(Debug)]
pub(crate) struct Output {
    /// None once nobody will read it.
    pipe: Mutex<Option<AsyncFd<OwnedFd>>>,
    newest: Newest,
}

/// Why a pump stopped.
#[derive(Debug, PartialEq, Eq)]
enum Stopped {
    /// Every writer is gone and the pipe is empty.
    EndOfOutput,
    /// The connection is dead; what is in the pipe stays there.
    HostLost,
    /// The host says that nobody will read the rest.
    Abandoned,
}

impl Output {
    /// Takes over the read end of a pipe.
    pub(crate) fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self {
            pipe: Mutex::new(Some(watch(pipe, Interest::READABLE)?)),
            newest: Newest::default(),
        })
    }

    /// Moves output to this connection until it ends, the connection dies or a newer one takes over.
    pub(crate) async fn serve(&self, conn: &Conn) {
        let mut turn = self.newest.take_over();
        let stopped = tokio::select! {
            biased;
            () = turn.is_over() => return,
            stopped = self.pump(conn) => stopped,
            stopped = farewell(conn) => stopped,
        };
        match stopped {
            Stopped::EndOfOutput => {
                if conn.finish_sending().is_ok() {
                    // The host closes when it has read everything.
                    farewell(conn).await;
                }
            }
            Stopped::Abandoned => *self.pipe.lock().await = None,
            Stopped::HostLost => {}
        }
    }

    /// Lets every connection go: the process is forgotten.
    pub(crate) fn retire(&self) {
        self.newest.retire();
    }

    async fn pump(&self, conn: &Conn) -> Stopped {
        let pipe = self.pipe.lock().await;
        let Some(pipe) = pipe.as_ref() else {
            return Stopped::EndOfOutput;
        };
        loop {
            let Ok(mut readable) = pipe.readable().await else {
                return Stopped::HostLost;
            };
            let Ok(mut writable) = conn.socket().writable().await else {
                return Stopped::HostLost;
            };
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            let socket = conn.socket().get_ref();
            match splice(pipe.get_ref(), None, socket, None, SPLICE_BYTES, flags) {
                Ok(0) => return Stopped::EndOfOutput,
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Stopped::HostLost,
            }
            // Which side to wait for: asked, because trying again would cost more. What arrives after the question is
            // a new event.
            if ioctl_fionread(pipe.get_ref()).unwrap_or(0) == 0 {
                readable.clear_ready();
            } else if !is_writable(socket) {
                writable.clear_ready();
            }
        }
    }
}

/// Waits until the host half-closes or is gone.
async fn farewell(conn: &Conn) -> Stopped {
    let mut nothing = [0; 64];
    loop {
        match conn.receive(&mut nothing).await {
            Ok(0) if conn.is_half_closed() => return Stopped::Abandoned,
            Ok(0) | Err(_) => return Stopped::HostLost,
            Ok(_) => {}
        }
    }
}

/// Asks the kernel: bytes that arrived in the pipe after the splice must not let the pump wait for a socket that has
/// been writable all the time.
fn is_writable(socket: &OwnedFd) -> bool {
    let mut ask = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut ask, Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests;
