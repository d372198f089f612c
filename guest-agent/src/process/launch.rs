//! Starts the helper (this binary again, single-threaded) and follows its report.

use std::{
    env, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    process::{Command, Stdio},
    sync::Arc,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    pipe::{PipeFlags, pipe_with},
};
use thiserror::Error;
use tokio::{io::AsyncReadExt, net::unix::pipe};

use super::{
    reaper::{ExitWatch, Launch, Reaper},
    report::{FailureClass, HELPER_ENV, HelperJob, Record, next_record},
    stdio::ChildEnds,
};

/// Where this binary can be executed again, whatever became of its path.
const SELF: &str = "/proc/self/exe";

/// Unread report that is kept; a helper writes a few hundred bytes.
const MAX_REPORT_BYTES: usize = 64 * 1024;

/// Why no process was made.
#[derive(Debug, Error)]
pub(crate) enum LaunchError {
    /// The helper could not be started, or its report not be read.
    #[error("start helper process: {0}")]
    Helper(#[from] io::Error),
    /// The helper ended without a word.
    #[error("helper process ended without a report")]
    Silent,
    /// The helper or the container's process says why.
    #[error("{text}")]
    Failed {
        /// What the host makes of it.
        class: FailureClass,
        /// One line.
        text: String,
    },
}

/// A process that was made.
#[derive(Debug)]
pub(crate) struct Launched {
    /// Its pid in the agent's namespace.
    pub(crate) pid: u32,
    /// Tells its end.
    pub(crate) exit: ExitWatch,
    /// What remains of the report: its end says that the command was executed.
    pub(crate) starting: Starting,
}

/// The rest of a report, after the process was created.
#[derive(Debug)]
pub(crate) struct Starting {
    report: Report,
}

impl Starting {
    /// Waits until the command runs, or says why it does not.
    pub(crate) async fn executed(mut self) -> Result<(), LaunchError> {
        match self.report.outcome().await? {
            None | Some(Outcome::Created(_)) => Ok(()),
            Some(Outcome::Failed(class, text)) => Err(LaunchError::Failed { class, text }),
        }
    }
}

/// Runs one job to the point where the process exists. The helper inherits what the job names by number.
pub(crate) async fn launch(
    reaper: &Arc<Reaper>,
    mut job: HelperJob,
    ends: ChildEnds,
    named: &[BorrowedFd<'_>],
) -> Result<Launched, LaunchError> {
    let (report_read, report_write) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    job.report_fd = report_write.as_raw_fd();
    let launching = reaper.launch();
    let inherited = [named, &[report_write.as_fd()]].concat();
    spawn_helper(&job, &inherited, ends)?;
    drop(report_write);
    let mut report = Report::new(report_read)?;
    match report.outcome().await? {
        Some(Outcome::Created(pid)) => {
            let exit = Launch::claim(&launching, pid);
            Ok(Launched {
                pid,
                exit,
                starting: Starting { report },
            })
        }
        Some(Outcome::Failed(class, text)) => Err(LaunchError::Failed { class, text }),
        None => Err(LaunchError::Silent),
    }
}

/// The agent executes from one thread only, so nothing else can inherit a descriptor that is inheritable meanwhile.
fn spawn_helper(job: &HelperJob, inherited: &[BorrowedFd<'_>], ends: ChildEnds) -> io::Result<()> {
    let set = |flags| inherited.iter().try_for_each(|fd| fcntl_setfd(fd, flags));
    set(FdFlags::empty())?;
    let spawned = Command::new(SELF)
        .env_clear()
        .env(HELPER_ENV, serde_json::to_string(job)?)
        .stdin(Stdio::from(ends.stdin))
        .stdout(Stdio::from(ends.stdout))
        .stderr(Stdio::from(ends.stderr))
        .current_dir("/")
        .spawn();
    set(FdFlags::CLOEXEC)?;
    // The reaper waits for it, as for every child.
    spawned.map(drop)
}

enum Outcome {
    Created(u32),
    Failed(FailureClass, String),
}

/// What libcontainer puts behind a cause.
const CLEANUP: &str = ". error during cleanup: ";

#[derive(Debug)]
struct Report {
    pipe: pipe::Receiver,
    unread: Vec<u8>,
    notes: Vec<String>,
}

impl Report {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: pipe::Receiver::from_owned_fd(pipe)?,
            unread: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// The next record that decides something; none at the end of the pipe.
    async fn outcome(&mut self) -> io::Result<Option<Outcome>> {
        loop {
            while let Some(record) = next_record(&mut self.unread) {
                match record? {
                    Record::Created(pid) => return Ok(Some(Outcome::Created(pid))),
                    Record::Note(text) => self.notes.push(text),
                    Record::Failed(class, text) => {
                        let text = with_cause(class, text, &self.notes);
                        self.end().await?;
                        return Ok(Some(Outcome::Failed(class, text)));
                    }
                }
            }
            if self.unread.len() > MAX_REPORT_BYTES {
                return Err(io::Error::other("helper's report has an endless line"));
            }
            if self.pipe.read_buf(&mut self.unread).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Waits until the helper and what it made are gone: the helper clears away what it had begun, and whoever is
    /// told of the failure clears away the rest.
    async fn end(&mut self) -> io::Result<()> {
        loop {
            self.unread.clear();
            if self.pipe.read_buf(&mut self.unread).await? == 0 {
                return Ok(());
            }
        }
    }
}

/// libcontainer's errors lose their causes on the way between its processes; the first error that it logged names the
/// place. Failures of the command need none: their text is complete. What its clean-up met is no cause, and who is told
/// of the failure cleans up once more.
fn with_cause(class: FailureClass, text: String, notes: &[String]) -> String {
    if class != FailureClass::Other {
        return text;
    }
    let cause = text.split(CLEANUP).next().unwrap_or_default();
    match notes.first() {
        Some(note) if !cause.contains(note.as_str()) => format!("{cause}: {note}"),
        _ => cause.to_owned(),
    }
}

/// Whether this process was started as a helper, and for what.
pub(crate) fn job_from_environment() -> Option<Result<HelperJob, serde_json::Error>> {
    let job = env::var_os(HELPER_ENV)?;
    Some(serde_json::from_slice(job.as_encoded_bytes()))
}

#[cfg(test)]
mod tests;
