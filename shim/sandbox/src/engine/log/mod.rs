//! What a detached container writes: JSON lines in its pod's directory, two files of bounded size.
//!
//! `writer` is the owner's side, `reader` everyone else's, `entry` one line, `time` how moments are written and given.

mod entry;
mod reader;
mod time;
mod writer;

pub use entry::{Entry, LogSource};
pub use reader::{LogReader, LogWatch};
pub use time::Instant;
pub use writer::{LogWriter, Sink};

/// Name of the file that is written.
const CURRENT: &str = "log.json";

/// Name of the one before.
const BEFORE: &str = "log.json.1";
