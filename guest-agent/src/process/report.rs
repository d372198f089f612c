//! What the agent and its helper process tell each other: the job in one environment variable, and records, one line
//! of JSON each, on a pipe. Writer and reader of both are in this file.
//!
//! The pipe's write end lives in the helper and in the container's process until its `execve`: the end of the pipe
//! says that the command runs, a record before it says why it does not.

use std::{io, os::fd::BorrowedFd, path::PathBuf};

use oci_spec::runtime::PosixRlimit;
use serde::{Deserialize, Serialize};

use super::privileges::Privileges;

/// Holds the [`HelperJob`] as JSON; its presence makes the binary a helper.
pub(crate) const HELPER_ENV: &str = "HUSK_HELPER";

/// A record is written in one piece, so that records of several processes do not mix (`PIPE_BUF`).
const MAX_RECORD_BYTES: usize = 4096;

/// Text beyond this is cut, so that escaping cannot make a record too long.
const MAX_TEXT_BYTES: usize = 640;

/// What a helper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Make a container from its bundle and leave its init process waiting.
    Create,
}

/// Numbers of descriptors that the helper inherits: namespaces of the pod that the container shares, and its own where
/// they had to be there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    pub(crate) user: Option<i32>,
    pub(crate) net: Option<i32>,
    pub(crate) ipc: Option<i32>,
    pub(crate) uts: Option<i32>,
    pub(crate) pid: Option<i32>,
}

/// What a shared uts namespace is to be called; libcontainer names only one that it makes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    pub(crate) host: Option<String>,
    pub(crate) domain: Option<String>,
}

/// One job of a helper.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HelperJob {
    pub(crate) action: Action,
    /// The agent's own name of the container.
    pub(crate) name: String,
    /// Directory of the container's `config.json`.
    pub(crate) bundle: PathBuf,
    /// Directory in which libcontainer keeps its state.
    pub(crate) state: PathBuf,
    /// Socket that takes the terminal of the process, if it has one.
    pub(crate) console: Option<PathBuf>,
    pub(crate) shared: Shared,
    pub(crate) names: Names,
    /// Kernel parameters of the network namespace that is made or joined for [`Action::Create`].
    pub(crate) net_sysctls: Vec<(String, String)>,
    /// What its specification says; libcontainer is told nothing of it.
    pub(crate) privileges: Privileges,
    /// Nor of these.
    pub(crate) rlimits: Vec<PosixRlimit>,
    /// The program of its system call filter, as words: at most 86 KB of JSON, of the 128 KiB that one string of an
    /// environment may have.
    pub(crate) filter: Option<Vec<u64>>,
    /// Whether the small init is the first process, and the command its child.
    pub(crate) init: bool,
    /// Descriptor of the report pipe.
    pub(crate) report_fd: i32,
}

/// Classes of failure that the host tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureClass {
    /// The command does not exist.
    CommandNotFound,
    /// The command cannot be executed.
    CommandNotExecutable,
    /// Anything else.
    Other,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// The process exists and has this pid in the agent's namespace.
    Created(u32),
    /// There is no process, and why.
    Failed(FailureClass, String),
    /// An error that was logged on the way; the causes that `Failed` does not carry.
    Note(String),
}

/// Appends one record to the pipe.
pub(crate) fn write_record(pipe: BorrowedFd<'_>, record: &Record) -> io::Result<()> {
    let record = match record {
        Record::Created(_) => record.clone(),
        Record::Failed(class, text) => Record::Failed(*class, cut(text)),
        Record::Note(text) => Record::Note(cut(text)),
    };
    let mut line = serde_json::to_vec(&record)?;
    line.push(b'\n');
    debug_assert!(line.len() <= MAX_RECORD_BYTES);
    rustix::io::write(pipe, &line)?;
    Ok(())
}

/// Shortens a text to whole characters.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Takes the first complete line out of what has been read.
pub(crate) fn next_record(buffer: &mut Vec<u8>) -> Option<io::Result<Record>> {
    let end = buffer.iter().position(|&byte| byte == b'\n')?;
    let line: Vec<u8> = buffer.drain(..=end).collect();
    Some(serde_json::from_slice(&line).map_err(io::Error::from))
}

#[cfg(test)]
mod tests;
