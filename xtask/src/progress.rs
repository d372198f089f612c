//! Progress of long steps: a line that rewrites itself on a terminal, a line every half minute in a log.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two rewritten lines on a terminal.
const LIVE_EVERY: Duration = Duration::from_millis(300);
/// Between two lines in a log.
const LOG_EVERY: Duration = Duration::from_secs(30);
/// Longest text of a live line; longer ones would wrap and not be rewritten.
const LIVE_WIDTH: usize = 76;

/// Progress of one step.
#[derive(Debug)]
pub(crate) struct Progress {
    label: String,
    begun: Instant,
    shown: Instant,
    live: bool,
}

impl Progress {
    /// Begins a step and says so.
    pub(crate) fn begin(label: &str) -> Self {
        let now = Instant::now();
        let live = io::stderr().is_terminal();
        if !live {
            eprintln!("{label} ...");
        }
        Self {
            label: label.to_owned(),
            begun: now,
            shown: now,
            live,
        }
    }

    /// Says how far the step is, unless that was said a moment ago.
    pub(crate) fn tick(&mut self, text: &str) {
        let every = if self.live { LIVE_EVERY } else { LOG_EVERY };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let line = format!(
            "{}: {} s {text}",
            self.label,
            self.begun.elapsed().as_secs()
        );
        if self.live {
            let short: String = line.chars().take(LIVE_WIDTH).collect();
            eprint!("\r\x1b[K{short}");
            // A terminal that went away is no reason to stop.
            io::stderr().flush().unwrap_or_default();
        } else {
            eprintln!("{line}");
        }
    }

    /// Takes the rewritten line away.
    pub(crate) fn clear(&self) {
        if self.live {
            eprint!("\r\x1b[K");
        }
    }

    /// Ends the step with its duration.
    pub(crate) fn end(self, text: &str) {
        if self.live {
            eprint!("\r\x1b[K");
        }
        eprintln!(
            "{}: {text} ({:.1} s)",
            self.label,
            self.begun.elapsed().as_secs_f64()
        );
    }
}
