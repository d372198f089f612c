//! What goes over an owner's socket: frames of a 4-byte little-endian length and a JSON message.
//!
//! A client sends a request, the owner one reply; the next request may follow. The reply to an exec carries descriptors
//! of its standard streams and is followed by a second one when the process has ended. Versions must be equal: a client
//! may be newer than an owner that has run for months.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recv, recvmsg},
    process::geteuid,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{io::Interest, net::UnixStream};

use super::error::{EngineError, Refused};
use crate::{
    agent::{Stats, TerminalSize},
    machine::send_with_fds,
    pod::Timeline,
};

/// Version of these messages.
pub(super) const VERSION: u32 = 2;

/// No message is longer: an exec's environment is the longest part of any.
const MAX_BYTES: usize = 1 << 20;

const LENGTH_BYTES: usize = 4;

/// The most descriptors of one message: the standard streams.
const MAX_FDS: usize = 3;

/// What a client asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Call {
    /// Another process; answered by [`Reply::Executed`], and unless it is detached by [`Reply::Exited`] later.
    Exec(ExecCall),
    /// The end of the container.
    Wait,
    /// A signal for the container's first process, or for an exec.
    Signal { exec: Option<String>, signal: u32 },
    /// The end of the container: a signal, then after the seconds SIGKILL.
    Stop { signal: u32, grace_s: Option<u64> },
    /// The end of everything at once, and that nothing stays.
    Remove,
    /// Everything of the container held where it is.
    Pause,
    /// And let go again.
    Unpause,
    /// A terminal's size changed: the container's, or an exec's.
    Resize { exec: Option<String>, size: Window },
    /// What it has used so far.
    Stats,
    /// The stages so far.
    Timeline,
}

/// A terminal's size in characters; 0 is "not known".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Characters a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl From<Window> for TerminalSize {
    fn from(window: Window) -> Self {
        Self {
            columns: window.columns,
            rows: window.rows,
        }
    }
}

/// Another process in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecCall {
    /// The command.
    pub args: Vec<String>,
    /// `NAME=value`, added to the container's.
    pub env: Vec<String>,
    /// Absolute working directory; the container's otherwise.
    pub working_dir: Option<String>,
    /// `user[:group]`; the container's otherwise.
    pub user: Option<String>,
    /// Names of capabilities beside the container's.
    pub cap_add: Vec<String>,
    /// Names of those that it has not, although the container has.
    pub cap_drop: Vec<String>,
    /// Whether standard input is connected.
    pub stdin: bool,
    /// The size of its pseudo-terminal, if it gets one.
    pub terminal: Option<Window>,
    /// Nobody waits for it, and its streams are /dev/null.
    pub detached: bool,
}

/// What the owner answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Reply {
    Done,
    Executed { exec: String, warnings: Vec<String> },
    Exited(Exited),
    Stats(Box<Usage>),
    Timeline(Timeline),
    Refused { refusal: Refused, text: String },
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exited {
    /// 0-255, or 128 + the signal.
    pub code: u8,
    /// Whether it ran out of memory.
    pub oom_killed: bool,
    /// Why the machine ended under it, if it did.
    pub lost: Option<String>,
}

/// What a container uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// As its cgroup in the guest counts it.
    pub container: Stats,
    /// Kernel instructions that its machine has interpreted; 0 where they are not counted.
    pub instructions: u64,
}

#[derive(Serialize)]
struct Outgoing<'a, T> {
    version: u32,
    message: &'a T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming<T> {
    /// Looked at before the message is.
    #[serde(rename = "version")]
    _version: u32,
    message: T,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// One connection, seen from either side.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream }
    }

    /// Sends one message with descriptors.
    pub(super) async fn send<T: Serialize>(
        &self,
        message: &T,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(), EngineError> {
        let body = serde_json::to_vec(&Outgoing {
            version: VERSION,
            message,
        })?;
        let length = u32::try_from(body.len()).ok();
        let length = length.filter(|_| body.len() <= MAX_BYTES);
        let length = length.ok_or(EngineError::TooLong(body.len()))?;
        let mut frame = length.to_le_bytes().to_vec();
        frame.extend_from_slice(&body);
        let mut rest = frame.as_slice();
        let mut fds = fds;
        while !rest.is_empty() {
            let sending = self.stream.async_io(Interest::WRITABLE, || {
                send_with_fds(self.stream.as_fd(), rest, fds)
            });
            let sent = sending.await?;
            rest = rest.get(sent..).unwrap_or_default();
            // Descriptors travel with the first byte.
            fds = &[];
        }
        Ok(())
    }

    /// The next message; `None`: the other side has closed.
    pub(super) async fn next<T: DeserializeOwned>(
        &self,
    ) -> Result<Option<(T, Vec<OwnedFd>)>, EngineError> {
        let mut fds = Vec::new();
        let Some(length) = self.read(LENGTH_BYTES, &mut fds).await? else {
            return Ok(None);
        };
        let length = <[u8; LENGTH_BYTES]>::try_from(length).unwrap_or_default();
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_BYTES {
            return Err(EngineError::TooLong(length));
        }
        let body = self.read(length, &mut fds).await?;
        let body = body.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let message = parse(&body)?;
        Ok(Some((message, fds)))
    }

    /// Waits until the other side has closed, or says something although it is not its turn.
    pub(super) async fn closed(&self) {
        // A look, not a read: that the socket was readable once says nothing about now.
        let look = || {
            let mut byte = [0];
            recv(&self.stream, &mut byte, RecvFlags::PEEK).map_err(io::Error::from)
        };
        let looked = self.stream.async_io(Interest::READABLE, look).await;
        drop(looked);
    }

    /// Whether the other side is root or this user.
    pub(super) fn is_ours(&self) -> bool {
        let user = self.stream.peer_cred().map(|peer| peer.uid());
        user.is_ok_and(|uid| uid == 0 || uid == geteuid().as_raw())
    }

    /// So many bytes; `None`: the end came before the first.
    async fn read(
        &self,
        count: usize,
        fds: &mut Vec<OwnedFd>,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        while filled < count {
            let room = bytes.get_mut(filled..).unwrap_or_default();
            let reading = self.stream.async_io(Interest::READABLE, || {
                receive(self.stream.as_fd(), room, fds)
            });
            match reading.await {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset && filled == 0 => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(bytes))
    }
}

/// The message in a frame's body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, EngineError> {
    let Versioned { version } = serde_json::from_slice(body)?;
    if version != VERSION {
        return Err(EngineError::Version {
            spoken: version,
            known: VERSION,
        });
    }
    let incoming: Incoming<T> = serde_json::from_slice(body)?;
    Ok(incoming.message)
}

fn receive(socket: BorrowedFd<'_>, room: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        socket,
        &mut [IoSliceMut::new(room)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            // One message has no more; what a hostile peer sends on top is closed here.
            let free = MAX_FDS.saturating_sub(fds.len());
            fds.extend(rights.take(free));
        }
    }
    Ok(received.bytes)
}
