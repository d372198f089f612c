//! The framing of the two messages that open a stream connection: a 4-byte little-endian length, then the message.
//!
//! Both sides read the length, ask [`body_len`] whether it may be believed, read that many bytes and [`parse`] them.

use protobuf::Message;
use thiserror::Error;

/// Bytes of the length field.
pub const LENGTH_BYTES: usize = 4;

/// No opening message is longer: identifiers are short, and an error is one line.
pub const MAX_BODY_BYTES: usize = 4096;

/// Why a frame is refused.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The length field asks for more than any opening message has.
    #[error("stream opening message of {0} bytes is longer than {MAX_BODY_BYTES}")]
    TooLong(usize),
    /// The bytes are no such message.
    #[error("malformed stream opening message")]
    Malformed(#[from] protobuf::Error),
}

/// The frame of one message.
///
/// # Errors
/// [`FrameError::TooLong`] when the peer would refuse it.
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, FrameError> {
    let body = message.write_to_bytes()?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() <= MAX_BODY_BYTES)
        .ok_or(FrameError::TooLong(body.len()))?;
    let mut frame = Vec::with_capacity(LENGTH_BYTES + body.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Number of bytes that follow the length field.
///
/// # Errors
/// [`FrameError::TooLong`] beyond [`MAX_BODY_BYTES`].
pub fn body_len(length: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
    let wanted = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if wanted > MAX_BODY_BYTES {
        return Err(FrameError::TooLong(wanted));
    }
    Ok(wanted)
}

/// The message in a frame's body.
///
/// # Errors
/// [`FrameError::Malformed`] when the bytes are no such message.
pub fn parse<M: Message>(body: &[u8]) -> Result<M, FrameError> {
    Ok(M::parse_from_bytes(body)?)
}

#[cfg(test)]
mod tests;
