//! What went wrong on the way to `execve`: eight bytes on a pipe that `execve` closes, and words for them.
//!
//! The container can see the process before its `execve`, and one that may trace processes could write into the pipe:
//! bytes are parsed as what they are, a stranger's.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::io::Errno;
use tokio::{io::AsyncReadExt, net::unix::pipe};

use super::plan::Plan;
use crate::process::{Failure, FailureClass, LaunchError};

/// A record of the pipe.
const RECORD_BYTES: usize = 8;

/// What the process was about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    /// Join the container's namespaces.
    Namespaces,
    /// Take its standing with the kernel's OOM killer.
    OomScore,
    /// Take its standard streams.
    Streams,
    /// Come into being, in the container's cgroup.
    Clone,
    /// Become a session of its own.
    Session,
    /// Take its terminal.
    Terminal,
    /// Take its resource limits.
    Rlimits,
    /// Take its personality.
    Personality,
    /// Renounce new privileges.
    NoNewPrivileges,
    /// Take the container's system call filter.
    Filter,
    /// Enter its working directory.
    Cwd,
    /// Take its user, groups and capabilities.
    Groups,
    Group,
    User,
    Capabilities,
    /// Find its command.
    Nowhere,
    Missing,
    /// Execute it.
    Execute,
}

/// Every step, for reading a number back.
const STEPS: [Step; 18] = [
    Step::Namespaces,
    Step::OomScore,
    Step::Streams,
    Step::Clone,
    Step::Session,
    Step::Terminal,
    Step::Rlimits,
    Step::Personality,
    Step::NoNewPrivileges,
    Step::Filter,
    Step::Cwd,
    Step::Groups,
    Step::Group,
    Step::User,
    Step::Capabilities,
    Step::Nowhere,
    Step::Missing,
    Step::Execute,
];

/// A step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stumble {
    pub(super) step: Step,
    pub(super) errno: Errno,
}

impl Stumble {
    pub(super) fn at(step: Step) -> impl FnOnce(Errno) -> Self {
        move |errno| Self { step, errno }
    }

    /// The container's first process may be ending: then the kernel joins no namespace of it any more, and makes no
    /// process in its pid namespace, for lack of memory as it says.
    pub(super) fn may_be_dead_init(self) -> bool {
        matches!(
            (self.step, self.errno),
            (Step::Clone, Errno::NOMEM) | (Step::Namespaces, Errno::SRCH)
        )
    }

    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let number = STEPS.iter().position(|step| *step == self.step);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let [a, b, c, d] = number.unwrap_or(u32::MAX).to_le_bytes();
        let [e, f, g, h] = self.errno.raw_os_error().to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    fn from_bytes(bytes: [u8; RECORD_BYTES]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let number = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let errno = i32::from_le_bytes([e, f, g, h]);
        (1..4096).contains(&errno).then_some(())?;
        Some(Self {
            step: *STEPS.get(number)?,
            errno: Errno::from_raw_os_error(errno),
        })
    }

    /// Tells the agent. Allocates nothing.
    pub(super) fn report(self, pipe: BorrowedFd<'_>) {
        // When nobody reads it, nobody needs it.
        let _ = rustix::io::write(pipe, &self.to_bytes());
    }

    /// For people, in runc's words where runc has some.
    pub(super) fn into_error(self, words: &Words) -> LaunchError {
        let name = &words.name;
        let reason = io::Error::from(self.errno);
        let failure = match self.step {
            Step::Nowhere if self.errno == Errno::NOENT => Failure::nowhere(name),
            Step::Missing => Failure::missing(name),
            Step::Nowhere | Step::Execute => Failure::of(name, &reason),
            step => {
                let reason = nix::errno::Errno::from_raw(self.errno.raw_os_error());
                let reason = reason.desc().to_lowercase();
                Failure {
                    class: FailureClass::Other,
                    text: format!("{}: {reason}", what(step, &words.cwd)),
                }
            }
        };
        LaunchError::Failed {
            class: failure.class,
            text: failure.text,
        }
    }
}

fn what(step: Step, cwd: &str) -> String {
    let what = match step {
        Step::Cwd => return format!("chdir to cwd ({cwd:?}) set in config.json failed"),
        Step::Namespaces => "join the container's namespaces",
        Step::OomScore => "set oom_score_adj",
        Step::Streams => "set standard streams",
        Step::Clone => "make a process in the container's cgroup",
        Step::Session => "make a session",
        Step::Terminal => "set the controlling terminal",
        Step::Rlimits => "set process.rlimits",
        Step::Personality => "set linux.personality",
        Step::NoNewPrivileges => "set process.noNewPrivileges",
        Step::Filter => "load linux.seccomp",
        Step::Groups => "set process.user.additionalGids",
        Step::Group => "set process.user.gid",
        Step::User => "set process.user.uid",
        Step::Capabilities => "set process.capabilities",
        Step::Nowhere | Step::Missing | Step::Execute => "exec",
    };
    what.to_owned()
}

/// What a plan gives to messages.
#[derive(Clone, Debug)]
pub(super) struct Words {
    name: String,
    cwd: String,
}

impl Words {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            name: plan.name.clone(),
            cwd: plan.cwd.to_string_lossy().into_owned(),
        }
    }
}

/// A process on its way to `execve`.
#[derive(Debug)]
pub(crate) struct Starting {
    pipe: pipe::Receiver,
    words: Words,
}

impl Starting {
    pub(super) fn new(pipe: OwnedFd, words: Words) -> io::Result<Self> {
        Ok(Self {
            pipe: pipe::Receiver::from_owned_fd(pipe)?,
            words,
        })
    }

    /// Waits until the command runs, or says why it does not. A process that was killed before counts as run: its
    /// exit status tells the rest.
    pub(crate) async fn executed(mut self) -> Result<(), LaunchError> {
        let mut record = [0; RECORD_BYTES];
        match self.pipe.read_exact(&mut record).await {
            Ok(_) => Err(match Stumble::from_bytes(record) {
                Some(stumble) => stumble.into_error(&self.words),
                None => LaunchError::Silent,
            }),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
