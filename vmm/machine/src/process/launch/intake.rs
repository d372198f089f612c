//! Reading the configuration.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::Deserialize;

use super::error::LaunchError;
use crate::api::MachineConfig;
use crate::api::config::CONFIG_VERSION;
use crate::api::wire::MAX_MESSAGE_BYTES;
use crate::process::frames::{FrameReader, Received};

/// The only field that is looked at before the version is known: another version may have other fields.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// Take the launch socket off the standard input. What is left there reads as an empty file, so that no later
/// descriptor gets number 0.
///
/// # Errors
/// Standard input is no UNIX stream socket.
pub fn take_socket() -> Result<UnixStream, LaunchError> {
    let stdin = io::stdin();
    let refused = |e: rustix::io::Errno| LaunchError::NoSocket(e.into());
    let domain = sockopt::socket_domain(&stdin).map_err(refused)?;
    let kind = sockopt::socket_type(&stdin).map_err(refused)?;
    if domain != AddressFamily::UNIX || kind != SocketType::STREAM {
        let text = "it is a socket of another kind";
        return Err(LaunchError::NoSocket(io::Error::other(text)));
    }
    let socket = stdin
        .as_fd()
        .try_clone_to_owned()
        .map_err(LaunchError::NoSocket)?;
    let (empty, _) = pipe_with(PipeFlags::CLOEXEC).map_err(refused)?;
    rustix::stdio::dup2_stdin(empty).map_err(refused)?;
    Ok(UnixStream::from(socket))
}

/// Wait for the configuration and its descriptors.
///
/// # Errors
/// The launcher is gone, or what came is no configuration.
pub fn receive(socket: &UnixStream) -> Result<(MachineConfig, Vec<OwnedFd>), LaunchError> {
    let mut reader = FrameReader::new(MAX_MESSAGE_BYTES);
    match reader.receive(socket.as_fd())? {
        Received::Frame(frame) => Ok((parse(&frame.body)?, frame.fds)),
        Received::Pending | Received::Closed => Err(LaunchError::Closed),
    }
}

/// The configuration in a message, its values not checked.
///
/// # Errors
/// It is of another version, or not what [`MachineConfig`] says.
pub fn parse(body: &[u8]) -> Result<MachineConfig, LaunchError> {
    let versioned: Versioned =
        serde_json::from_slice(body).map_err(|source| LaunchError::Json {
            path: "version".to_owned(),
            source,
        })?;
    if versioned.version != u64::from(CONFIG_VERSION) {
        return Err(LaunchError::Version(versioned.version));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let config = serde_path_to_error::deserialize(&mut json).map_err(|e| LaunchError::Json {
        path: e.path().to_string(),
        source: e.into_inner(),
    })?;
    json.end().map_err(|source| LaunchError::Json {
        path: "end".to_owned(),
        source,
    })?;
    Ok(config)
}
