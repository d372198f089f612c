//! Waiting for a line of a log.

use std::io::{BufRead, BufReader, PipeReader};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

/// How long a program may be silent before it is given up; on the slowest hosts a database needs minutes.
const SILENCE: Duration = Duration::from_secs(600);

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

    /// Waits for a line with this text.
    pub(super) fn wait_for(&self, text: &str) -> Result<()> {
        loop {
            match self.0.recv_timeout(SILENCE) {
                Ok(line) if line.contains(text) => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("its log ended without {text:?}"),
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "silent for {} s before it wrote {text:?}",
                        SILENCE.as_secs()
                    )
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
        lines.wait_for("ready").unwrap();
        drop(lines);
        // More than a pipe holds: it would block for ever if nobody read.
        writer.write_all(&[b'\n'; 1 << 20]).unwrap();
    }

    #[test]
    fn log_that_ends_too_early_is_an_error_that_says_what_was_missing() {
        let (reader, writer) = pipe().unwrap();
        drop(writer);
        let error = Lines::of(reader).wait_for("up").unwrap_err().to_string();
        assert!(error.contains("\"up\""), "{error}");
    }
}
