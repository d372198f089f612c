//! One connected stream socket (vsock in a guest, UNIX in tests) on tokio's event loop.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown,
};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd};

use crate::readiness::watch;

/// A connection that the host opened.
#[derive(Debug)]
pub(crate) struct Conn {
    socket: AsyncFd<OwnedFd>,
}

impl Conn {
    /// Takes over a non-blocking connected socket.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            socket: watch(socket, Interest::READABLE | Interest::WRITABLE)?,
        })
    }

    /// The socket on the event loop, for `splice`.
    pub(crate) fn socket(&self) -> &AsyncFd<OwnedFd> {
        &self.socket
    }

    /// Reads what is there, waiting for the first byte; 0 is the end.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket
            .async_io(Interest::READABLE, |fd| receive(fd.as_fd(), buffer))
            .await
    }

    /// Reads what is there; an error when there is nothing.
    pub(crate) fn receive_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self.socket.get_ref().as_fd(), buffer)
    }

    /// After the end of what the peer sends: whether it can still receive. An empty send succeeds as long as it can.
    pub(crate) fn is_half_closed(&self) -> bool {
        send(self.socket.get_ref(), &[], SendFlags::NOSIGNAL).is_ok()
    }

    /// Tells the peer that nothing more will be sent.
    pub(crate) fn finish_sending(&self) -> io::Result<()> {
        Ok(shutdown(self.socket.get_ref(), Shutdown::Write)?)
    }
}

fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (received, _) = recv(fd, buffer, RecvFlags::empty())?;
    Ok(received)
}

impl AsyncRead for Conn {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            let target = buf.initialize_unfilled();
            if let Ok(result) = guard.try_io(|fd| receive(fd.as_fd(), target)) {
                buf.advance(result?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.socket.poll_write_ready(cx))?;
            if let Ok(result) = guard.try_io(|fd| Ok(send(fd.as_fd(), buf, SendFlags::NOSIGNAL)?)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.socket.poll_write_ready(cx))?;
            if let Ok(result) = guard.try_io(|fd| {
                Ok(sendmsg(
                    fd.as_fd(),
                    bufs,
                    &mut SendAncillaryBuffer::default(),
                    SendFlags::NOSIGNAL,
                )?)
            }) {
                return Poll::Ready(result);
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish_sending())
    }
}
