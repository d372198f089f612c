//! Several connections may ask for one stream: the newest has it.

use tokio::sync::watch;

/// The count of a stream that nobody gets any more.
const RETIRED: u64 = u64::MAX;

/// Counts the connections of a stream.
#[derive(Debug, Default)]
pub(super) struct Newest {
    count: watch::Sender<u64>,
}

/// What a connection has of a stream: until a newer one comes.
#[derive(Debug)]
pub(super) struct Turn {
    own: u64,
    count: watch::Receiver<u64>,
}

impl Newest {
    /// A new connection has the stream from now on.
    pub(super) fn take_over(&self) -> Turn {
        let mut own = 0;
        self.count.send_modify(|count| {
            // Retired stays retired.
            *count = count.saturating_add(1);
            own = *count;
        });
        Turn {
            own,
            count: self.count.subscribe(),
        }
    }

    /// Nobody has the stream from now on, who comes later neither.
    pub(super) fn retire(&self) {
        self.count.send_replace(RETIRED);
    }
}

impl Turn {
    /// Waits until a newer connection has the stream, or nobody.
    pub(super) async fn is_over(&mut self) {
        let own = self.own;
        let over = |count: &u64| *count > own || *count == RETIRED;
        // The stream itself may be gone as well.
        let _ = self.count.wait_for(over).await;
    }
}

#[cfg(test)]
mod tests;
