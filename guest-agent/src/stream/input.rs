//! A process's standard input on its way from the host.
//!
//! The host half-closes to end the input, and keeps the connection until the agent closes it; a connection that is
//! closed whole or reset means that the host was lost: the input stays open, and a new connection may go on.

use std::{io, os::fd::OwnedFd};

use tokio::{
    io::AsyncWriteExt,
    net::unix::pipe::Sender,
    sync::{Mutex, watch},
};

use super::{
    conn::Conn,
    newest::{Newest, Turn},
};

/// One read: a full vsock packet.
const BUFFER_BYTES: usize = 64 * 1024;

/// The agent's end of an input pipe.
#[derive(Debug)]
pub(crate) struct Input {
    /// None once the input has been closed.
    pipe: Mutex<Option<Sender>>,
    newest: Newest,
    closing: watch::Sender<bool>,
}

/// Why a pump stopped.
#[derive(Debug, PartialEq, Eq)]
enum Stopped {
    /// The input is at its end, or nobody reads it any more.
    Finished,
    /// The connection is dead or has been replaced.
    HostLost,
}

impl Input {
    /// Takes over the write end of a pipe.
    pub(crate) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: Mutex::new(Some(Sender::from_owned_fd(pipe)?)),
            newest: Newest::default(),
            closing: watch::Sender::new(false),
        })
    }

    /// Moves input from this connection until it ends or a newer one takes over.
    pub(crate) async fn serve(&self, conn: &Conn) {
        let turn = self.newest.take_over();
        // An older connection first writes what it has received.
        let mut pipe = self.pipe.lock().await;
        let Some(writer) = pipe.as_mut() else {
            return;
        };
        if self.pump(conn, writer, turn).await == Stopped::Finished {
            *pipe = None;
        }
    }

    /// Closes the input once what has arrived for it is written. Does not wait for that: a process that never reads
    /// would make the caller wait for ever.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
        // A pump that holds it sees the wish.
        if let Ok(mut pipe) = self.pipe.try_lock() {
            *pipe = None;
        }
    }

    /// Lets every connection go: the process is forgotten.
    pub(crate) fn retire(&self) {
        self.newest.retire();
    }

    async fn pump(&self, conn: &Conn, writer: &mut Sender, mut turn: Turn) -> Stopped {
        let mut closing = self.closing.subscribe();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let received = tokio::select! {
                biased;
                () = turn.is_over() => return Stopped::HostLost,
                received = conn.receive(&mut buffer) => received,
                // What has arrived may not have been told yet: asked, not waited for.
                _ = closing.wait_for(|closing| *closing) => match conn.receive_now(&mut buffer) {
                    Ok(count @ 1..) => Ok(count),
                    _ => return Stopped::Finished,
                },
            };
            match received {
                Ok(0) if conn.is_half_closed() => return Stopped::Finished,
                Ok(0) | Err(_) => return Stopped::HostLost,
                Ok(count) => {
                    if writer.write_all(&buffer[..count]).await.is_err() {
                        return Stopped::Finished;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
