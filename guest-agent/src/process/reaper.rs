//! The one place that waits for processes. PID 1 inherits every orphan of the guest.
//!
//! A container's process becomes the agent's child when the helper that made it ends, and it may itself have ended by
//! then: while a launch is under way, statuses that nobody has asked for yet are kept, until the launch has said
//! which process is its own.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::{WaitOptions, WaitStatus, wait};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// 0-255, or 128 + the signal.
    pub(crate) code: u32,
    /// Wall clock, since the epoch.
    pub(crate) at: Duration,
}

/// What a caller holds to learn of an end: `None` until then.
pub(crate) type ExitWatch = watch::Receiver<Option<Exit>>;

/// Table of the processes that somebody cares for.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    watched: HashMap<u32, watch::Sender<Option<Exit>>>,
    unclaimed: HashMap<u32, Exit>,
    launches: usize,
}

/// A launch under way; dropping it ends the launch.
#[derive(Debug)]
pub(crate) struct Launch {
    reaper: Arc<Reaper>,
}

impl Reaper {
    fn table(&self) -> MutexGuard<'_, Table> {
        // No code that holds it can panic half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to keep the statuses of unknown processes.
    pub(crate) fn launch(self: &Arc<Self>) -> Launch {
        self.table().launches += 1;
        Launch {
            reaper: Arc::clone(self),
        }
    }

    /// Takes over the signal, then reaps for ever in a task of its own.
    pub(crate) fn start() -> io::Result<Arc<Self>> {
        let mut ended = signal(SignalKind::child())?;
        let reaper = Arc::new(Self::default());
        let own = Arc::clone(&reaper);
        tokio::spawn(async move {
            while ended.recv().await.is_some() {
                while let Some((pid, exit)) = next_exit() {
                    own.table().record(pid, exit);
                }
            }
        });
        Ok(reaper)
    }
}

impl Table {
    fn record(&mut self, pid: u32, exit: Exit) {
        if let Some(watcher) = self.watched.remove(&pid) {
            watcher.send_replace(Some(exit));
        } else if self.launches > 0 {
            self.unclaimed.insert(pid, exit);
        }
    }
}

impl Launch {
    /// Names the process that this launch has made.
    pub(crate) fn claim(&self, pid: u32) -> ExitWatch {
        let mut table = self.reaper.table();
        let known = table.unclaimed.remove(&pid);
        let (sender, receiver) = watch::channel(known);
        if known.is_none() {
            table.watched.insert(pid, sender);
        }
        receiver
    }
}

impl Drop for Launch {
    fn drop(&mut self) {
        let mut table = self.reaper.table();
        table.launches -= 1;
        if table.launches == 0 {
            table.unclaimed.clear();
        }
    }
}

/// The next ended child, if there is one.
fn next_exit() -> Option<(u32, Exit)> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok()??;
    let pid = u32::try_from(pid.as_raw_nonzero().get()).ok()?;
    let at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Some((
        pid,
        Exit {
            code: exit_code(status),
            at,
        },
    ))
}

/// The shell's convention.
fn exit_code(status: WaitStatus) -> u32 {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    };
    u32::try_from(code).unwrap_or(255)
}

#[cfg(test)]
mod tests;
