//! Words for people: errors, warnings, timelines.

use std::{
    fs,
    io::{Write, stderr},
    path::Path,
};

use anyhow::{Context, Error, Result, bail};
use husk_sandbox::pod::{MachineEnd, Mark, PodError, Timeline};
use serde::Serialize;

use crate::values::TimelineSink;

/// The most lines of a guest's console in an error.
const CONSOLE_LINES: usize = 40;

/// One line that names the thing and the cause; for a machine that ended, what it said last and when it did what.
pub(crate) fn error(error: &Error) {
    say(&format!("husk: {}\n", clean(&format!("{error:#}"))));
    let ended = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(PodError::MachineEnded(end)) => Some(end),
        _ => None,
    });
    if let Some(end) = ended {
        say(&details(end));
    }
}

/// A machine ended under a container that ran.
pub(crate) fn machine_lost(end: &MachineEnd) {
    say(&format!("husk: {}\n", clean(&end.to_string())));
    say(&details(end));
}

/// Something that a person should know and that stops nothing.
pub(crate) fn warning(text: &str) {
    say(&format!("husk: warning: {}\n", clean(text)));
}

/// To standard error; when nobody reads that, nobody is told.
fn say(text: &str) {
    stderr().write_all(text.as_bytes()).ok();
}

fn details(end: &MachineEnd) -> String {
    if end.is_before_guest() {
        // Nothing ran, and the reason says it all.
        return String::new();
    }
    let console = end
        .report
        .as_ref()
        .map(|report| report.console_tail.as_str());
    let mut text = last_lines("console", console.unwrap_or_default());
    text.push_str(&last_lines("vmm", &end.log_tail));
    text.push_str(&format!("{}\n", end.timeline));
    text
}

/// The end of what a guest or a VMM wrote, each line marked and harmless for a terminal.
fn last_lines(from: &str, text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(CONSOLE_LINES);
    let shown = lines.get(first..).unwrap_or_default();
    shown
        .iter()
        .map(|line| format!("{from}| {}\n", clean(line)))
        .collect()
}

/// Guests choose some of the words: no control character reaches a terminal.
fn clean(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.trim_end().chars().map(printable).collect()
}

#[derive(Serialize)]
struct JsonTimeline<'a> {
    kernel_release: &'a str,
    exit_code: Option<u8>,
    stages: &'a [Mark],
    vmm: Option<VmmCost>,
}

/// What the VMM process took for itself; nothing is known of one that did not report.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct VmmCost {
    /// CPU time before the first guest instruction.
    pub(crate) setup_cpu_us: u64,
    /// Private memory apart from the guest's.
    pub(crate) private_bytes: u64,
}

/// What a run was, for its timeline.
pub(crate) struct Ran<'a> {
    pub(crate) kernel_release: &'a str,
    /// None of a container that runs on.
    pub(crate) exit_code: Option<u8>,
    pub(crate) timeline: &'a Timeline,
    pub(crate) vmm: Option<VmmCost>,
}

/// Whether a timeline can be written where it is to go: asked before anything runs, so that no exit code is lost for it.
pub(crate) fn check_sink(sink: Option<&TimelineSink>) -> Result<()> {
    let Some(TimelineSink::File(path)) = sink else {
        return Ok(());
    };
    let parent = path.parent().unwrap_or_else(|| Path::new("/"));
    if path.is_dir() || !parent.is_dir() {
        bail!("timeline {}: no file can be made there", path.display());
    }
    Ok(())
}

/// Writes the timeline if it was asked for.
pub(crate) fn timeline(sink: Option<&TimelineSink>, ran: &Ran<'_>) -> Result<()> {
    match sink {
        None => Ok(()),
        Some(TimelineSink::Text) => {
            say(&format!("{}\n", ran.timeline));
            Ok(())
        }
        Some(TimelineSink::Json) => {
            say(&format!("{}\n", json(ran)?));
            Ok(())
        }
        Some(TimelineSink::File(path)) => write_file(path, &json(ran)?),
    }
}

fn json(ran: &Ran<'_>) -> Result<String> {
    Ok(serde_json::to_string(&JsonTimeline {
        kernel_release: ran.kernel_release,
        exit_code: ran.exit_code,
        stages: &ran.timeline.marks,
        vmm: ran.vmm,
    })?)
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, format!("{text}\n")).with_context(|| format!("timeline {}", path.display()))
}

#[cfg(test)]
mod tests;
