//! Framing on the launch and control sockets (UNIX stream): a 4-byte little-endian length, then that many bytes of JSON.
//! Descriptors come with the first byte of the message they belong to (`SCM_RIGHTS`).

use serde::Serialize;
use thiserror::Error;

/// The longest message taken or sent, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The most descriptors in one message.
pub const MAX_MESSAGE_FDS: usize = 64;

/// A message that cannot be framed.
#[derive(Debug, Error)]
pub enum WireError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("message of {0} bytes is longer than {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    /// Not the JSON that was expected.
    #[error("message is not valid: {0}")]
    Json(#[from] serde_json::Error),
}

/// One message ready to be written.
///
/// # Errors
/// The value cannot be written as JSON or is too long.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    let body = serde_json::to_vec(value)?;
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() <= MAX_MESSAGE_BYTES);
    let length = length.ok_or(WireError::TooLong(body.len()))?;
    let mut frame = Vec::with_capacity(body.len() + 4);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}
