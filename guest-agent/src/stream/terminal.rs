//! A pseudo-terminal's master: what is typed comes from the host, what is shown goes there, byte by byte as it is.
//!
//! A terminal is no pipe: it cannot be spliced, so bytes that were read and not yet taken by a connection are kept here
//! for the next one; and it has no end of input: the character that means it (Control-D, as a rule) is typed instead,
//! which the terminal takes for one while it edits lines.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    io::{read, write},
    net::{SendFlags, send},
    termios::{LocalModes, SpecialCodeIndex, Winsize, tcgetattr, tcsetwinsize},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::Mutex,
};

use super::{conn::Conn, newest::Newest};
use crate::readiness::watch;

/// One read; the kernel gives a page at most.
const BUFFER_BYTES: usize = 4096;

/// The agent's end of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: AsyncFd<OwnedFd>,
    shown: Mutex<Shown>,
    typed: Mutex<()>,
    newest_shown: Newest,
    newest_typed: Newest,
}

/// Output that was read and not yet sent.
#[derive(Debug, Default)]
struct Shown {
    unsent: Vec<u8>,
    sent: usize,
}

/// Why a pump stopped.
#[derive(Debug, PartialEq, Eq)]
enum Stopped {
    /// Every process has let go of the terminal, and everything that they wrote is sent.
    EndOfOutput,
    /// The connection is dead.
    HostLost,
}

impl Terminal {
    /// Takes over a master.
    pub(crate) fn new(master: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Self {
            master: watch(master, Interest::READABLE | Interest::WRITABLE)?,
            shown: Mutex::default(),
            typed: Mutex::default(),
            newest_shown: Newest::default(),
            newest_typed: Newest::default(),
        })
    }

    /// Tells it its size; its foreground processes get SIGWINCH.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        Ok(tcsetwinsize(self.master.get_ref(), size)?)
    }

    /// Moves what is shown to this connection until the terminal is let go of, the connection dies or a newer one takes
    /// over.
    pub(crate) async fn serve_output(&self, conn: &Conn) {
        let mut turn = self.newest_shown.take_over();
        let stopped = tokio::select! {
            biased;
            () = turn.is_over() => return,
            stopped = self.show(conn) => stopped,
        };
        if stopped == Stopped::EndOfOutput && conn.finish_sending().is_ok() {
            // The host closes when it has read everything.
            let mut nothing = [0; 64];
            while conn.receive(&mut nothing).await.is_ok_and(|read| read > 0) {}
        }
    }

    /// Moves what this connection brings to the terminal until it ends or a newer one takes over. Its half-close types
    /// the end of input.
    pub(crate) async fn serve_input(&self, conn: &Conn) {
        let mut turn = self.newest_typed.take_over();
        // An older connection first writes what it has received.
        let _turn = self.typed.lock().await;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let received = tokio::select! {
                biased;
                () = turn.is_over() => return,
                received = conn.receive(&mut buffer) => received,
            };
            let typed = match received {
                Ok(0) if conn.is_half_closed() => {
                    // A terminal that takes every byte as it is has no such character.
                    let _ = self.type_end().await;
                    return;
                }
                Ok(0) | Err(_) => return,
                Ok(count) => self.type_all(buffer.get(..count).unwrap_or_default()),
            };
            if typed.await.is_err() {
                return;
            }
        }
    }

    /// Types the character that ends the input.
    pub(crate) async fn type_end(&self) -> io::Result<()> {
        let modes = tcgetattr(self.master.get_ref())?;
        if !modes.local_modes.contains(LocalModes::ICANON) {
            return Err(io::Error::other(
                "the terminal is in raw mode, in which no character ends the input",
            ));
        }
        let end = modes.special_codes[SpecialCodeIndex::VEOF];
        self.type_all(&[end]).await
    }

    /// Lets every connection go: the process is forgotten.
    pub(crate) fn retire(&self) {
        self.newest_shown.retire();
        self.newest_typed.retire();
    }

    async fn type_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self
                .master
                .async_io(Interest::WRITABLE, |master| Ok(write(master, bytes)?))
                .await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    async fn show(&self, conn: &Conn) -> Stopped {
        let mut shown = self.shown.lock().await;
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            while let Some(rest) = shown
                .unsent
                .get(shown.sent..)
                .filter(|rest| !rest.is_empty())
            {
                let sending = conn.socket().async_io(Interest::WRITABLE, |socket| {
                    Ok(send(socket.as_fd(), rest, SendFlags::NOSIGNAL)?)
                });
                // Nothing is lost when the connection is taken over meanwhile: a send that was done is counted in the
                // same step.
                match sending.await {
                    Ok(count) => shown.sent += count,
                    Err(_) => return Stopped::HostLost,
                }
            }
            shown.unsent.clear();
            shown.sent = 0;
            let reading = self.master.async_io(Interest::READABLE, |master| {
                Ok(read(master, &mut buffer[..])?)
            });
            match reading.await {
                Ok(count) if count > 0 => {
                    let read = buffer.get(..count).unwrap_or_default();
                    shown.unsent.extend_from_slice(read);
                }
                // EIO: nobody has the other end open any more, and everything was read.
                _ => return Stopped::EndOfOutput,
            }
        }
    }
}

#[cfg(test)]
mod tests;
