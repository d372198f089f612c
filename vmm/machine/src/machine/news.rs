//! Everything that happens to a machine, as messages in its owner's queue.

use std::sync::mpsc::Sender;

use husk_devices::vsock::Doorbell;

use super::console::LastWords;
use crate::kvm::VcpuEvent;
use crate::process::control::Order;

/// One thing that happened.
#[derive(Debug)]
pub(super) enum News {
    /// A vCPU cannot go on.
    Vcpu(VcpuEvent),
    /// A client asks for something.
    Order(Order),
    /// The guest's agent says how far it is.
    Doorbell {
        bell: Doorbell,
        /// When, in microseconds of the monotonic clock.
        at_us: u64,
    },
    /// The guest's console says that this is the end.
    LastWords(LastWords),
    /// A worker thread ended, which it never does by itself.
    WorkerEnded(String),
}

/// Tells the owner if the thread that holds it ends by a panic.
#[derive(Debug)]
pub(super) struct DeathNotice {
    name: &'static str,
    news: Sender<News>,
}

impl DeathNotice {
    pub(super) fn new(name: &'static str, news: Sender<News>) -> Self {
        Self { name, news }
    }

    /// The thread ends with this result.
    pub(super) fn ended(self, result: std::io::Result<()>) {
        if let Err(error) = result {
            let text = format!("{} thread: {error}", self.name);
            // Without an owner there is nobody to tell.
            let _ = self.news.send(News::WorkerEnded(text));
        }
    }
}

impl Drop for DeathNotice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = format!("{} thread panicked", self.name);
            // As above.
            let _ = self.news.send(News::WorkerEnded(text));
        }
    }
}
