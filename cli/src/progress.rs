//! How far things are, on a terminal only: one line on standard error that is wiped before the container's output.

use std::{
    io::{IsTerminal, Write, stderr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use husk_sandbox::{
    images::{Observer, Progress, Stage},
    pod::Pod,
};
use tokio::time::sleep;

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(250);

/// Back to the first column, and wipe to the end of the line.
const WIPE: &str = "\r\x1b[K";

/// The line.
#[derive(Debug)]
pub(crate) struct Line {
    on: bool,
    shown: bool,
    last: Option<Instant>,
}

impl Line {
    /// On a terminal it shows; elsewhere it does nothing.
    pub(crate) fn new() -> Self {
        Self {
            on: stderr().is_terminal(),
            shown: false,
            last: None,
        }
    }

    fn is_due(&self) -> bool {
        self.on && self.last.is_none_or(|last| last.elapsed() >= EVERY)
    }

    fn show(&mut self, text: &str) {
        self.last = Some(Instant::now());
        self.shown = true;
        let mut out = stderr();
        // Who cannot be told is not told.
        write!(out, "{WIPE}{text}").and_then(|()| out.flush()).ok();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.shown {
            write!(stderr(), "{WIPE}").ok();
        }
    }
}

/// Shows how far an image is, and calls it off when asked to.
#[derive(Debug)]
pub(crate) struct ImageProgress {
    line: Line,
    cancelled: Arc<AtomicBool>,
}

impl ImageProgress {
    pub(crate) fn new(cancelled: Arc<AtomicBool>) -> Self {
        Self {
            line: Line::new(),
            cancelled,
        }
    }
}

impl Observer for ImageProgress {
    fn progress(&mut self, progress: Progress) {
        if self.line.is_due() {
            self.line.show(&image_text(progress));
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

fn image_text(progress: Progress) -> String {
    let stage = match progress.stage {
        Stage::Waiting => "waiting for another husk that makes the same image",
        Stage::Pulling => "pulling",
        Stage::Opening => "opening the archive",
        Stage::Unpacking => "unpacking",
        Stage::Building => "building the file system",
    };
    let mib = |bytes: u64| bytes >> 20;
    match (progress.done, progress.total) {
        (0, 0) => format!("image: {stage}"),
        (done, 0) => format!("image: {stage} {} MiB", mib(done)),
        (done, total) => format!("image: {stage} {} of {} MiB", mib(done), mib(total)),
    }
}

/// Shows how far a machine is, until it is dropped.
pub(crate) async fn show_boot(pod: &Pod) {
    let mut line = Line::new();
    if !line.on {
        return std::future::pending().await;
    }
    let began = Instant::now();
    loop {
        let timeline = pod.timeline().await;
        let stage = timeline
            .ok()
            .and_then(|timeline| timeline.marks.last().map(|mark| mark.stage.clone()));
        let instructions = pod.instructions().await.unwrap_or(0);
        let stage = stage.unwrap_or_default();
        line.show(&boot_text(&stage, instructions, began.elapsed()));
        sleep(EVERY).await;
    }
}

fn boot_text(stage: &str, instructions: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if instructions == 0 {
        return format!("machine: {stage}, {seconds} s");
    }
    let tenths = instructions / 100_000;
    format!(
        "machine: {stage}, {}.{} million kernel instructions, {seconds} s",
        tenths / 10,
        tenths % 10
    )
}

#[cfg(test)]
mod tests;
