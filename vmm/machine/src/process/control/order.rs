//! A request that is well-formed, with the way back for its answer.

use std::os::fd::OwnedFd;

use thiserror::Error;

use crate::api::{Command, Request};
use crate::process::frames::Frame;

/// Names a control connection for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub(super) u32);

/// One request for the owner of the machine. Every order gets exactly one reply.
#[derive(Debug)]
pub struct Order {
    /// Who asks.
    pub from: ConnectionId,
    /// The caller's number of the request.
    pub id: u64,
    /// What to do.
    pub command: Command,
    /// What came with it: for [`Command::AttachDrive`] and [`Command::AttachNic`] only.
    pub fd: Option<OwnedFd>,
}

/// A message that is no request.
#[derive(Debug, Error)]
pub(super) enum RequestError {
    #[error("request: {0}")]
    Json(#[from] serde_json::Error),
    #[error("request {id}: {count} descriptors came, the command takes {wanted}")]
    Descriptors {
        id: u64,
        count: usize,
        wanted: usize,
    },
}

/// The request in a message.
pub(super) fn parse(from: ConnectionId, frame: Frame) -> Result<Order, RequestError> {
    let Request { id, command } = serde_json::from_slice(&frame.body)?;
    let takes_one = matches!(
        command,
        Command::AttachDrive { .. } | Command::AttachNic { .. }
    );
    let wanted = usize::from(takes_one);
    let count = frame.fds.len();
    if count != wanted {
        return Err(RequestError::Descriptors { id, count, wanted });
    }
    Ok(Order {
        from,
        id,
        command,
        fd: frame.fds.into_iter().next(),
    })
}
