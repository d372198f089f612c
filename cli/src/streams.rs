//! Standard streams: byte for byte between this process's descriptors and the container's, each on a thread of its own
//! with one buffer, so that memory stays bounded whatever is slow.

mod copying;

use std::{
    io::{self, Read},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, read, write},
};
use tokio::sync::oneshot;

pub(crate) use copying::{Copying, UNWRITABLE};

/// Bytes moved at a time: as much as a pipe holds.
const BUFFER_BYTES: usize = 64 << 10;

/// How the copying of an output ended.
#[derive(Debug)]
pub(crate) enum OutputEnd {
    /// Everything was copied, or nobody reads our output any more and the container has closed it.
    Complete,
    /// Our output cannot be written.
    Failed(io::Error),
}

/// How far the copying of an output is.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    bytes: AtomicU64,
    writing: AtomicBool,
}

impl Copied {
    /// Bytes moved so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether our own reader is waited for, not the guest.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.load(Ordering::Relaxed)
    }
}

/// An output that is being copied.
#[derive(Debug)]
pub(crate) struct Output {
    /// Comes once, when the copying ends.
    pub(crate) end: oneshot::Receiver<OutputEnd>,
    /// Comes once, with the first byte; closed when there was none.
    pub(crate) first: oneshot::Receiver<()>,
    /// How far it is.
    pub(crate) copied: Arc<Copied>,
}

/// Where output goes: takes all of the bytes, or says why it never will.
pub(crate) type Outlet = Box<dyn FnMut(&[u8]) -> Result<(), Errno> + Send>;

/// One of our descriptors.
pub(crate) fn to_fd(fd: impl AsFd + Send + 'static) -> Outlet {
    Box::new(move |bytes| write_all(&fd, bytes))
}

/// Copies a stream of the container to where it goes.
pub(crate) fn copy_output(from: UnixStream, to: Outlet) -> io::Result<Output> {
    from.set_nonblocking(false)?;
    let (ended, end) = oneshot::channel();
    let (begun, first) = oneshot::channel();
    let copied = Arc::new(Copied::default());
    let progress = Arc::clone(&copied);
    thread::Builder::new()
        .name("husk-output".to_owned())
        .spawn(move || {
            // Nobody listening means that the run is over.
            ended.send(pump_output(from, to, begun, &progress)).ok();
        })?;
    Ok(Output { end, first, copied })
}

fn pump_output(
    mut from: UnixStream,
    mut to: Outlet,
    begun: oneshot::Sender<()>,
    copied: &Copied,
) -> OutputEnd {
    let mut begun = Some(begun);
    let mut unread = false;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer) {
            // A machine that ends closes its streams one way or the other; its end is reported elsewhere.
            Ok(0) => return OutputEnd::Complete,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return OutputEnd::Complete,
        };
        if let Some(begun) = begun.take() {
            begun.send(()).ok();
        }
        copied.writing.store(true, Ordering::Relaxed);
        let written = match unread {
            true => Ok(()),
            false => to(buffer.get(..count).unwrap_or_default()),
        };
        match written {
            Ok(()) => {}
            Err(Errno::PIPE) => {
                // The container's turn: the agent closes the pipe that it writes into, and it gets SIGPIPE.
                from.shutdown(Shutdown::Write).ok();
                unread = true;
            }
            Err(error) => return OutputEnd::Failed(error.into()),
        }
        copied.writing.store(false, Ordering::Relaxed);
        copied
            .bytes
            .fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Copies our standard input to the container; its end becomes the end of the container's.
pub(crate) fn copy_input<F>(from: F, to: UnixStream) -> io::Result<()>
where
    F: AsFd + Send + 'static,
{
    to.set_nonblocking(false)?;
    thread::Builder::new()
        .name("husk-input".to_owned())
        .spawn(move || {
            if let Err(error) = pump_input(&from, &to) {
                tracing::debug!(%error, "standard input ended");
            }
            // The write side only: a full close would mean that the host is lost.
            to.shutdown(Shutdown::Write).ok();
            // Kept open until the process ends, for the same reason.
            drain(to);
        })?;
    Ok(())
}

fn pump_input(from: &impl AsFd, to: &UnixStream) -> Result<(), Errno> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match read(from, &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => write_all(to, buffer.get(..count).unwrap_or_default())?,
            Err(Errno::INTR) => {}
            // Somebody made the descriptor non-blocking; it is shared, so it stays so.
            Err(Errno::AGAIN) => wait_for(from, PollFlags::IN)?,
            // Reading in the background, or from a terminal that is gone.
            Err(error) => return Err(error),
        }
    }
}

fn drain(mut stream: UnixStream) {
    let mut buffer = [0; 512];
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
}

fn write_all(to: &impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => wait_for(to, PollFlags::OUT)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A descriptor of our own for one of our standard streams.
pub(crate) fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

fn wait_for(fd: &impl AsFd, what: PollFlags) -> Result<(), Errno> {
    let mut fds = [PollFd::new(fd, what)];
    match poll(&mut fds, None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
