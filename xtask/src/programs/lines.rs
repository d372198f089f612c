//! Waiting for a line of a log.

use std::io::{BufRead, BufReader, PipeReader};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

/// How often a silent program is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How many looks a silent program is given: an hour, for a host that is busy with other things.
const LOOKS: u32 = 120;
/// How much a program may do without a word. A database that is made needs a tenth of it.
const SILENT_WORK: u64 = 1_000_000_000;

/// The lines that come through a pipe.
#[derive(Debug)]
pub(super) struct Lines(Receiver<String>);

impl Lines {
    /// Reads the pipe in a thread of its own, to its end, whether somebody wants the lines or not: who writes them must
    /// not be kept waiting.
    pub(super) fn of(pipe: PipeReader) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).into_owned();
                // Nobody listens any more.
                sender.send(line).unwrap_or_default();
            }
        });
        Self(lines)
    }

    /// Waits for a line with this text. `work` counts what the program does, in instructions: one that goes on and on
    /// without a word is given up, on a fast host as on a slow one.
    pub(super) fn wait_for(&self, text: &str, work: impl Fn() -> Result<u64>) -> Result<()> {
        // What it had done at the first of the looks at which it was silent.
        let mut silent: Option<(u64, u32)> = None;
        loop {
            match self.0.recv_timeout(LOOK) {
                Ok(line) if line.contains(text) => return Ok(()),
                Ok(_) => silent = None,
                Err(RecvTimeoutError::Disconnected) => bail!("its log ended without {text:?}"),
                Err(RecvTimeoutError::Timeout) => {
                    let now = work()?;
                    let (begun, looks) = silent.unwrap_or((now, 0));
                    let done = now.saturating_sub(begun);
                    if done > SILENT_WORK || looks > LOOKS {
                        bail!("silent for {done} instructions before it wrote {text:?}");
                    }
                    silent = Some((begun, looks + 1));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::Lines;

    #[test]
    fn line_is_found_and_what_follows_is_read_all_the_same() {
        let (reader, mut writer) = pipe().unwrap();
        let lines = Lines::of(reader);
        writer.write_all(b"one\nnow ready \xff to go\n").unwrap();
        lines.wait_for("ready", || Ok(0)).unwrap();
        drop(lines);
        // More than a pipe holds: it would block for ever if nobody read.
        writer.write_all(&[b'\n'; 1 << 20]).unwrap();
    }

    #[test]
    fn log_that_ends_too_early_is_an_error_that_says_what_was_missing() {
        let (reader, writer) = pipe().unwrap();
        drop(writer);
        let error = Lines::of(reader).wait_for("up", || Ok(0));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("\"up\""), "{error}");
    }
}
