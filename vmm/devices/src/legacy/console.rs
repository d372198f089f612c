//! What the guest wrote to its console: the last part of it, for failure reports, and each line as it
//! ends, for whoever looks for certain words.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of console output that are kept.
pub const TAIL_SIZE: usize = 16 * 1024;

/// A longer line is handed on in pieces of this size.
pub const LINE_MAX: usize = 512;

/// The tail of the console, shared between the serial port and those who report failures.
#[derive(Clone, Debug, Default)]
pub struct ConsoleTail(Arc<Mutex<VecDeque<u8>>>);

impl ConsoleTail {
    /// The last bytes, as text; what is not UTF-8 is replaced, carriage returns are dropped.
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = {
            let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            tail.iter().copied().filter(|byte| *byte != b'\r').collect()
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            if tail.len() >= TAIL_SIZE {
                tail.pop_front();
            }
            tail.push_back(*byte);
        }
    }
}

/// Called with each line, without its end.
pub(super) type OnLine = Box<dyn FnMut(&str) + Send>;

/// Where the serial port writes to.
pub(super) struct ConsoleWriter {
    tail: ConsoleTail,
    line: Vec<u8>,
    on_line: OnLine,
}

impl ConsoleWriter {
    pub(super) fn new(tail: ConsoleTail, on_line: OnLine) -> Self {
        Self {
            tail,
            line: Vec::new(),
            on_line,
        }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            (self.on_line)(&String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }
}

impl Write for ConsoleWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tail.push(bytes);
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                other => {
                    self.line.push(*other);
                    if self.line.len() >= LINE_MAX {
                        self.end_line();
                    }
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
