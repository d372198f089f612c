//! The outputs of one process while they are copied.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{sync::oneshot, time::interval};

use super::{Output, OutputEnd};

/// How often it is looked whether output still comes after the process has ended.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long the rest of the output may not move although our own reader waits for it: a guest that holds it back.
const STUCK: Duration = Duration::from_secs(120);

/// What is said when an output fails.
pub(crate) const UNWRITABLE: &str = "cannot write the container's output";

/// The outputs that are still copied.
#[derive(Debug)]
pub(crate) struct Copying {
    outputs: Vec<Output>,
}

impl Copying {
    pub(crate) fn new(outputs: Vec<Output>) -> Self {
        Self { outputs }
    }

    /// Comes with the first byte of the first output; closed when there was none.
    pub(crate) fn first_byte(&mut self) -> Option<oneshot::Receiver<()>> {
        let (_, never) = oneshot::channel();
        let stdout = self.outputs.first_mut()?;
        Some(std::mem::replace(&mut stdout.first, never))
    }

    /// Comes when an output fails; an output that is complete is no news.
    pub(crate) async fn failed(&mut self) -> io::Error {
        loop {
            match self.next_end().await {
                Some(OutputEnd::Complete) => {}
                Some(OutputEnd::Failed(error)) => return error,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until everything is copied.
    pub(crate) async fn complete(&mut self) -> Result<()> {
        let mut look = interval(LOOK_EVERY);
        let (mut moved, mut since) = (0, Instant::now());
        loop {
            tokio::select! {
                biased;
                end = self.next_end() => match end {
                    Some(OutputEnd::Complete) => {}
                    Some(OutputEnd::Failed(error)) => return Err(error).context(UNWRITABLE),
                    None => return Ok(()),
                },
                _ = look.tick() => {
                    let bytes: u64 = self.outputs.iter().map(|o| o.copied.bytes()).sum();
                    let ours = self.outputs.iter().any(|o| o.copied.is_writing());
                    if bytes != moved || ours {
                        (moved, since) = (bytes, Instant::now());
                    }
                    if since.elapsed() > STUCK {
                        let seconds = STUCK.as_secs();
                        bail!("the rest of the output: the guest holds it back for {seconds} s");
                    }
                }
            }
        }
    }

    /// The end of one output, whichever comes first; `None`: all have ended.
    async fn next_end(&mut self) -> Option<OutputEnd> {
        let mut ends = self.outputs.iter_mut().map(|output| &mut output.end);
        let (index, end) = match (ends.next(), ends.next()) {
            (None, _) => return None,
            (Some(only), None) => (0, only.await),
            (Some(first), Some(second)) => tokio::select! {
                end = first => (0, end),
                end = second => (1, end),
            },
        };
        self.outputs.remove(index);
        Some(end.unwrap_or(OutputEnd::Complete))
    }
}
