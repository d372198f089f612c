//! The end of the VMM process: noticed through its pidfd, reaped at once.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{Child, ExitStatus},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::unix::AsyncFd;

use super::MachineError;

/// How the VMM process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEnd {
    /// It ended by itself with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl From<ExitStatus> for ProcessEnd {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

impl std::fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The VMM process, held by whoever waits for its end. Dropping it kills the process.
#[derive(Debug)]
pub struct ExitWatch {
    child: Child,
    pidfd: OwnedFd,
    reaped: bool,
}

impl ExitWatch {
    pub(crate) fn new(child: Child) -> Result<Self, MachineError> {
        let pid = child.id();
        let mut child = child;
        match open_pidfd(pid) {
            Ok(pidfd) => Ok(Self {
                child,
                pidfd,
                reaped: false,
            }),
            Err(source) => {
                // Nobody could watch it: it must not stay.
                child.kill().ok();
                child.wait().ok();
                Err(MachineError::Process {
                    pid,
                    what: "pidfd_open",
                    source,
                })
            }
        }
    }

    /// Pid on the host.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A descriptor by which the process can be killed while another task waits for its end.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn killer(&self) -> io::Result<Killer> {
        Ok(Killer {
            pidfd: self.pidfd.try_clone()?,
        })
    }

    /// Waits for the end and reaps.
    ///
    /// # Errors
    /// The process cannot be watched.
    pub async fn ended(&mut self) -> io::Result<ProcessEnd> {
        let watched = watched(self.pidfd.try_clone()?)?;
        watched.readable().await?.retain_ready();
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status.into())
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        if !self.reaped {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Ends a VMM process; does nothing once it has been reaped.
#[derive(Debug)]
pub struct Killer {
    pidfd: OwnedFd,
}

impl Killer {
    /// Another one for the same process.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            pidfd: self.pidfd.try_clone()?,
        })
    }

    /// SIGKILL: as pid 1 of its namespace it takes everything in there with it.
    pub fn kill(&self) {
        // The only way to fail is that the process is no more.
        pidfd_send_signal(&self.pidfd, Signal::KILL).ok();
    }
}

#[expect(
    deprecated,
    reason = "deprecated for types whose descriptor may change or close while registered, which an OwnedFd's does not"
)]
fn watched(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(pidfd)
}

fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}
