//! The container's network namespace: libcontainer would make one, but leave its loopback down.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use thiserror::Error;

/// The loopback is the first interface of every network namespace.
const LOOPBACK: i32 = 1;

// linux/rtnetlink.h, linux/netlink.h, linux/if.h
const RTM_NEWLINK: u16 = 16;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST_ACK: u16 = 1 | 4;
const IFF_UP: u32 = 1;

/// Why there is no network namespace.
#[derive(Debug, Error)]
pub(super) enum NetworkError {
    /// It was not made.
    #[error("make network namespace")]
    Namespace(#[source] io::Error),
    /// Its loopback stays down.
    #[error("bring loopback up")]
    Loopback(#[source] io::Error),
    /// A kernel parameter was not taken.
    #[error("set sysctl {0}")]
    Sysctl(String, #[source] io::Error),
}

/// Moves this process into a network namespace of its own. What it starts from now on is in there too.
pub(super) fn make(sysctls: &[(String, String)]) -> Result<(), NetworkError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| NetworkError::Namespace(errno.into()))?;
    loopback_up().map_err(NetworkError::Loopback)?;
    for (name, value) in sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(path, value).map_err(|error| NetworkError::Sysctl(name.clone(), error))?;
    }
    Ok(())
}

/// On a NETLINK_ROUTE socket (the default protocol): one RTM_NEWLINK message and its acknowledgement.
fn loopback_up() -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    send(&socket, &link_up_message(), SendFlags::empty())?;
    let mut answer = [0; 64];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    acknowledged(answer.get(..length).unwrap_or_default())
}

/// Header (length, type, flags, sequence, port) and `ifinfomsg` (family and type, index, flags, mask of flags).
fn link_up_message() -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    body.extend(IFF_UP.to_ne_bytes());
    let mut message = Vec::with_capacity(32);
    message.extend(32_u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

/// An acknowledgement is an error message with the number 0.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|kind| kind.try_into().ok());
    let error = answer.get(16..20).and_then(|error| error.try_into().ok());
    match (kind.map(u16::from_ne_bytes), error.map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(errno)) => Err(io::Error::from_raw_os_error(-errno)),
        _ => Err(io::Error::other("no acknowledgement")),
    }
}
