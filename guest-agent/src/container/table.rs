//! The table of containers and their processes: the one owner of their states.
//!
//! A container is reserved, created, running, then gone; that a process has stopped is not a state of the table but
//! what its exit watch says. Locks are held for look-ups only, never across an await.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use oci_spec::runtime::Spec;
use rustix::fs::{Uid, fchown};
use tokio::sync::watch;

use super::{cgroup::Cgroup, error::ContainerError, rootfs::Disks, rootfs::RootFs};
use crate::{
    exec::Inherited,
    pod::PodNamespaces,
    process::{Devpts, Exit, ExitWatch, Pipes, Reaper, Starting, give_terminal},
    resources::CgroupTree,
    stream::{Input, Output, Terminal},
};

/// Names a process: an empty exec id is the container's init.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessKey<'a> {
    pub(crate) container: &'a str,
    pub(crate) exec: &'a str,
}

impl ProcessKey<'_> {
    /// For messages.
    pub(super) fn describe(&self) -> String {
        if self.exec.is_empty() {
            format!("container {}", self.container)
        } else {
            format!("exec {} of container {}", self.exec, self.container)
        }
    }
}

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

/// The agent's ends of a process's standard streams: pipes, or a terminal instead.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Option<Output>,
    pub(crate) stderr: Option<Output>,
    pub(crate) terminal: Option<Terminal>,
}

impl Streams {
    /// The process's user may open them again by the names that /dev/stdout and its siblings have.
    pub(super) fn pipes(pipes: Pipes, owner: Uid) -> Result<Self, ContainerError> {
        let own = |pipe: OwnedFd| {
            fchown(&pipe, Some(owner), None)?;
            Ok::<_, io::Error>(pipe)
        };
        let make = || {
            Ok::<_, io::Error>(Self {
                stdin: pipes
                    .stdin
                    .map(own)
                    .transpose()?
                    .map(Input::new)
                    .transpose()?,
                stdout: pipes
                    .stdout
                    .map(own)
                    .transpose()?
                    .map(Output::new)
                    .transpose()?,
                stderr: pipes
                    .stderr
                    .map(own)
                    .transpose()?
                    .map(Output::new)
                    .transpose()?,
                terminal: None,
            })
        };
        make().map_err(ContainerError::io("set up standard streams"))
    }

    /// Takes over the master of a terminal.
    pub(super) fn terminal(
        master: OwnedFd,
        owner: Uid,
        size: Size,
    ) -> Result<Self, ContainerError> {
        let make = || {
            give_terminal(master.as_fd(), owner)?;
            let terminal = Terminal::new(master)?;
            terminal.resize(size.columns, size.rows)?;
            Ok::<_, io::Error>(terminal)
        };
        let terminal = make().map_err(ContainerError::io("set up terminal"))?;
        Ok(Self {
            terminal: Some(terminal),
            ..Self::default()
        })
    }

    fn retire(&self) {
        if let Some(stdin) = &self.stdin {
            stdin.retire();
        }
        for output in [&self.stdout, &self.stderr].into_iter().flatten() {
            output.retire();
        }
        if let Some(terminal) = &self.terminal {
            terminal.retire();
        }
    }
}

/// A process that was made.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    exit: ExitWatch,
    pub(crate) streams: Streams,
    memory: Memory,
}

/// How much of a process's end the memory of its container has to do with.
#[derive(Debug)]
struct Memory {
    cgroup: Cgroup,
    /// Kills of the container before the process began.
    kills_before: u64,
    /// The host sent it SIGKILL.
    killed: AtomicBool,
    /// Decided once, so that every answer is the same.
    verdict: OnceLock<bool>,
}

/// The code of a process that SIGKILL ended, and of a shell whose child it ended.
const KILLED: u32 = 137;

impl Process {
    pub(super) fn new(pid: u32, exit: ExitWatch, streams: Streams, cgroup: &Cgroup) -> Self {
        let memory = Memory {
            kills_before: cgroup.oom_kills(),
            cgroup: cgroup.clone(),
            killed: AtomicBool::new(false),
            verdict: OnceLock::new(),
        };
        Self {
            pid,
            exit,
            streams,
            memory,
        }
    }

    /// Notes that the host itself ends it.
    pub(super) fn note_kill(&self) {
        self.memory.killed.store(true, Ordering::Relaxed);
    }

    /// Whether it ended because the container's memory limit was reached. The kernel tells who was killed to nobody,
    /// but it counts kills, and of those that end with SIGKILL only the host's own are others.
    pub(crate) fn oom_killed(&self) -> bool {
        let memory = &self.memory;
        let Some(exit) = self.exit() else {
            return false;
        };
        *memory.verdict.get_or_init(|| {
            exit.code == KILLED
                && !memory.killed.load(Ordering::Relaxed)
                && memory.cgroup.oom_kills() > memory.kills_before
        })
    }

    /// How it ended, if it has.
    pub(crate) fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) -> Option<Exit> {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(exit) => *exit,
            Err(_reaper_gone) => None,
        }
    }

    pub(super) fn retire(&self) {
        self.streams.retire();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.processes.values().for_each(|process| process.retire());
    }
}

/// Where a container is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Being made; the name is taken.
    Creating,
    /// Its init waits for the start.
    Created(Starting),
    /// Told to start.
    Running,
    /// Being taken apart.
    Deleting,
}

impl Phase {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Creating => "being created",
            Self::Created(_) => "not started",
            Self::Running => "started already",
            Self::Deleting => "being deleted",
        }
    }
}

/// What a process that joins a container has of it.
#[derive(Debug)]
pub(super) struct Joined {
    /// As it was fitted to the guest.
    pub(super) spec: Spec,
    pub(super) inherited: Inherited,
    /// Where its terminals are made.
    pub(super) devpts: Option<Devpts>,
}

/// One container.
#[derive(Debug)]
pub(super) struct Container {
    /// The agent's own name for it: short, and no path in disguise.
    pub(super) name: String,
    pub(super) phase: Phase,
    pub(super) cgroup: Cgroup,
    pub(super) root: Option<RootFs>,
    /// What an exec in it needs; none until it is created.
    pub(super) joined: Option<Arc<Joined>>,
    pub(super) paused: bool,
    /// Ends with it.
    pub(super) gone: watch::Sender<()>,
    /// By exec id; the empty one is init. None: reserved.
    pub(super) processes: HashMap<String, Arc<Process>>,
    /// Exec ids whose process is being made.
    pub(super) reserved: Vec<String>,
}

/// Everything that the agent knows about containers.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(super) reaper: Arc<Reaper>,
    pub(super) disks: tokio::sync::Mutex<Disks>,
    pub(super) cgroups: Mutex<CgroupTree>,
    pub(super) pod: tokio::sync::Mutex<PodNamespaces>,
    table: Mutex<Table>,
    /// Why no container can be created, if so.
    unprepared: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) containers: HashMap<String, Container>,
    pub(super) made: u64,
}

impl Agent {
    /// An agent without containers. `unprepared` says what went wrong when the guest was prepared.
    pub(crate) fn new(reaper: Arc<Reaper>, unprepared: Option<String>) -> Self {
        Self {
            reaper,
            disks: tokio::sync::Mutex::default(),
            cgroups: Mutex::default(),
            pod: tokio::sync::Mutex::default(),
            table: Mutex::default(),
            unprepared,
        }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // No code that holds it can panic half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check_prepared(&self) -> Result<(), ContainerError> {
        match &self.unprepared {
            Some(why) => Err(ContainerError::Unprepared(why.clone())),
            None => Ok(()),
        }
    }

    /// A process by name.
    pub(crate) fn process(&self, key: ProcessKey<'_>) -> Result<Arc<Process>, ContainerError> {
        let table = self.table();
        let container = table.container(key.container)?;
        container
            .processes
            .get(key.exec)
            .cloned()
            .ok_or_else(|| ContainerError::NotFound(key.describe()))
    }
}

impl Table {
    pub(super) fn container(&self, id: &str) -> Result<&Container, ContainerError> {
        self.containers
            .get(id)
            .ok_or_else(|| ContainerError::NotFound(format!("container {id}")))
    }

    pub(super) fn container_mut(&mut self, id: &str) -> Result<&mut Container, ContainerError> {
        self.containers
            .get_mut(id)
            .ok_or_else(|| ContainerError::NotFound(format!("container {id}")))
    }
}
