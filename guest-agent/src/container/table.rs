//! The table of containers and their processes: the one owner of their states.
//!
//! A container is reserved, created, running, then gone; that a process has stopped is not a state of the table but
//! what its exit watch says. Locks are held for look-ups only, never across an await.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{cgroup::Cgroup, error::ContainerError, rootfs::Disks, rootfs::RootFs};
use crate::{
    process::{Exit, ExitWatch, Pipes, Reaper, Starting},
    resources::CgroupTree,
    stream::{Input, Output},
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

/// A process that was made.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    exit: ExitWatch,
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Option<Output>,
    pub(crate) stderr: Option<Output>,
}

impl Process {
    pub(super) fn new(pid: u32, exit: ExitWatch, pipes: Pipes) -> Result<Self, ContainerError> {
        let make = || {
            Ok::<_, std::io::Error>(Self {
                pid,
                exit,
                stdin: pipes.stdin.map(Input::new).transpose()?,
                stdout: pipes.stdout.map(Output::new).transpose()?,
                stderr: pipes.stderr.map(Output::new).transpose()?,
            })
        };
        make().map_err(ContainerError::io("set up standard streams"))
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
        if let Some(stdin) = &self.stdin {
            stdin.retire();
        }
        for output in [&self.stdout, &self.stderr].into_iter().flatten() {
            output.retire();
        }
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

/// One container.
#[derive(Debug)]
pub(super) struct Container {
    /// The agent's own name for it: short, and no path in disguise.
    pub(super) name: String,
    pub(super) phase: Phase,
    pub(super) cgroup: Cgroup,
    pub(super) root: Option<RootFs>,
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
