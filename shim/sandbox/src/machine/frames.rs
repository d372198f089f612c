//! Messages out of the bytes of a control socket, whatever the other side sends.

use husk_machine::api::{
    Message,
    wire::{MAX_MESSAGE_BYTES, WireError},
};

const LENGTH_BYTES: usize = 4;

/// Collects bytes until a message is complete; holds at most one message and what was read behind it.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    /// Takes what was read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message.
    ///
    /// # Errors
    /// The length is beyond the limit or the message is not valid; the connection is of no use any more.
    pub(super) fn next(&mut self) -> Result<Option<Message>, WireError> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE_BYTES {
            return Err(WireError::TooLong(length));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body)?;
        self.buffer.drain(..LENGTH_BYTES + length);
        Ok(Some(message))
    }
}
