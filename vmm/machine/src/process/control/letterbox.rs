//! From the owner of the machine to the I/O thread.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use super::order::ConnectionId;
use crate::api::{Event, Message, Reply, wire};

/// One message on its way out.
#[derive(Debug)]
pub(super) enum Letter {
    /// To the one who asked.
    Reply { to: ConnectionId, frame: Vec<u8> },
    /// To everybody.
    News { frame: Vec<u8>, last: bool },
}

#[derive(Debug)]
pub(super) struct Letterbox {
    letters: Mutex<Vec<Letter>>,
    pub(super) wake: EventFd,
}

impl Letterbox {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            letters: Mutex::new(Vec::new()),
            wake: EventFd::new(EFD_CLOEXEC | EFD_NONBLOCK)?,
        }))
    }

    pub(super) fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut self.lock())
    }

    fn put(&self, letter: Letter) {
        self.lock().push(letter);
        // Fails only when the counter is full: then the reader is awake.
        let _ = self.wake.write(1);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owner's side of the control connections.
#[derive(Clone, Debug)]
pub struct Handle {
    letterbox: Arc<Letterbox>,
}

impl Handle {
    pub(super) fn new(letterbox: Arc<Letterbox>) -> Self {
        Self { letterbox }
    }

    /// Answer an order.
    pub fn reply(&self, to: ConnectionId, id: u64, result: Reply) {
        let frame = encode(&Message::Reply { id, result });
        self.letterbox.put(Letter::Reply { to, frame });
    }

    /// Tell everybody who is connected.
    pub fn announce(&self, event: Event) {
        let frame = encode(&Message::Event(event));
        self.letterbox.put(Letter::News { frame, last: false });
    }

    /// Tell everybody the last news. The I/O thread ends when it is out.
    pub fn finish(&self, event: Event) {
        let frame = encode(&Message::Event(event));
        self.letterbox.put(Letter::News { frame, last: true });
    }
}

/// Our own messages are far below the limit of the wire; one that is not is left out and logged.
pub(super) fn encode(message: &Message) -> Vec<u8> {
    wire::encode(message).unwrap_or_else(|error| {
        tracing::error!(%error, "message not sent");
        Vec::new()
    })
}
