//! The log: warnings and errors to standard error, one line each, bounded.
//!
//! A guest can bring about warnings (a broken ring, a refused packet), and the launcher keeps what is written here in a
//! file: so a process writes a fixed number of lines and no more.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_global_default;
use tracing::{Event, Level, Metadata, Subscriber};

/// Lines in a process's life.
const MAX_LINES: u32 = 1000;

/// Writes events of a level and above.
#[derive(Debug)]
struct Log {
    level: Level,
    lines: AtomicU32,
}

/// Write warnings and errors from now on; with `verbose` everything.
pub fn start(verbose: bool) {
    let level = if verbose { Level::TRACE } else { Level::WARN };
    let lines = AtomicU32::new(0);
    // Fails only if there is a log already.
    let _ = set_global_default(Log { level, lines });
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let before = self.lines.fetch_add(1, Ordering::Relaxed);
        if before > MAX_LINES {
            self.lines.store(MAX_LINES + 1, Ordering::Relaxed);
            return;
        }
        let mut line = Line::default();
        if before == MAX_LINES {
            line.text.push_str("husk-vmm: no more than this is logged");
        } else {
            event.record(&mut line);
            let level = event.metadata().level().as_str().to_ascii_lowercase();
            line.text = format!("husk-vmm: {level}: {}{}", line.text, line.fields);
        }
        line.text.push('\n');
        // Standard error may be gone: that is no reason to end.
        let _ = io::stderr().write_all(line.text.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    text: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.text, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
