//! The line by which a client names the port that it wants.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use super::socket;

/// `CONNECT 4294967295\n` and room to be clear about what is too long.
const MAX_LINE: usize = 32;

/// How far a client is with its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The port of the guest that the client wants.
    Port(u32),
    /// The line has no end yet.
    Unfinished,
    /// What came is no such line, or the client is gone.
    Refused,
}

/// Looks at what the client has written. Takes the line from the socket once it is whole, and nothing after it:
/// what follows is the stream's.
pub(crate) fn read(client: &UnixStream) -> Handshake {
    let mut bytes = [0; MAX_LINE];
    let seen = match socket::peek(client, &mut bytes) {
        Ok(0) => return Handshake::Refused,
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Handshake::Unfinished,
        Err(_) => return Handshake::Refused,
    };
    let seen = bytes.get(..seen).unwrap_or_default();
    let verdict = parse(seen);
    if let Handshake::Port(_) = verdict {
        let line = seen.iter().take_while(|byte| **byte != b'\n').count() + 1;
        let Some(taken) = bytes.get_mut(..line) else {
            return Handshake::Refused;
        };
        if (&*client).read_exact(taken).is_err() {
            return Handshake::Refused;
        }
    }
    verdict
}

/// What the first bytes of a client say.
pub(crate) fn parse(bytes: &[u8]) -> Handshake {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let line = parts.next().unwrap_or_default();
    if parts.next().is_none() {
        let hopeless = line.len() >= MAX_LINE;
        return if hopeless {
            Handshake::Refused
        } else {
            Handshake::Unfinished
        };
    }
    port(line).map_or(Handshake::Refused, Handshake::Port)
}

fn port(line: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(line).ok()?.strip_prefix("CONNECT ")?;
    // `parse` takes a leading `+`; nobody who means a port writes one.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port: u32 = plain.then(|| digits.parse().ok()).flatten()?;
    (port != u32::MAX).then_some(port)
}
