//! `husk logs`.

use std::{
    collections::VecDeque,
    io::{Write, stderr, stdout},
};

use anyhow::{Context, Result};
use husk_sandbox::{
    engine::{Entry, LogReader, LogSource, LogWatch, find},
    settings::Settings,
};
use rustix::process::Signal;

use crate::{args::LogsArgs, signals::exit_code};

/// Shows what a detached container wrote: each stream on ours of the same kind.
pub(crate) fn logs(args: &LogsArgs, settings: &Settings) -> Result<u8> {
    let found = find(&settings.run_dir, &args.container)?;
    if found.about.as_ref().is_some_and(|about| !about.detached) {
        return Err(found
            .refuse("show its log: it runs in the foreground")
            .into());
    }
    // Watched from before the first look: nothing is missed in between.
    let watch = args.follow.then(|| LogWatch::new(&found)).transpose()?;
    let mut reader = LogReader::open(&found.dir)?;
    let mut printer = Printer {
        timestamps: args.timestamps,
        open: [false, false],
    };
    for entry in last_lines(&mut reader, args)? {
        if !printer.print(&entry)? {
            return Ok(exit_code(Signal::PIPE));
        }
    }
    let Some(watch) = watch else { return Ok(0) };
    loop {
        let more = watch.wait()?;
        while let Some(entry) = reader.next_entry()? {
            if !printer.print(&entry)? {
                return Ok(exit_code(Signal::PIPE));
            }
        }
        if !more {
            return Ok(0);
        }
    }
}

/// What is there already, as far as it was asked for.
fn last_lines(reader: &mut LogReader, args: &LogsArgs) -> Result<VecDeque<Entry>> {
    let mut entries = VecDeque::new();
    let mut lines = 0_usize;
    while let Some(entry) = reader.next_entry()? {
        if args.since.is_some_and(|since| entry.time < since) {
            continue;
        }
        lines = lines.saturating_add(usize::from(entry.ends_line()));
        entries.push_back(entry);
        // The last line may have no end yet.
        let open = entries.back().is_some_and(|entry| !entry.ends_line());
        while lines.saturating_add(usize::from(open)) > args.tail {
            match entries.pop_front() {
                Some(dropped) => lines = lines.saturating_sub(usize::from(dropped.ends_line())),
                None => break,
            }
        }
    }
    Ok(entries)
}

struct Printer {
    timestamps: bool,
    /// Whether a line has begun and not ended, for each stream.
    open: [bool; 2],
}

impl Printer {
    /// `false`: nobody reads it any more.
    fn print(&mut self, entry: &Entry) -> Result<bool> {
        let mut bytes = Vec::new();
        let open = match entry.source {
            LogSource::Stdout => &mut self.open[0],
            LogSource::Stderr => &mut self.open[1],
        };
        if self.timestamps && !*open {
            bytes.extend_from_slice(format!("{} ", entry.time).as_bytes());
        }
        *open = !entry.ends_line();
        bytes.extend_from_slice(&entry.bytes);
        let written = match entry.source {
            LogSource::Stdout => stdout().write_all(&bytes).and_then(|()| stdout().flush()),
            LogSource::Stderr => stderr().write_all(&bytes),
        };
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            written => {
                written.context("cannot write the log")?;
                Ok(true)
            }
        }
    }
}
