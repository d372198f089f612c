//! What can be done with containers that exist: signals, listing, waiting, taking apart.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, ErrorKind},
    os::fd::OwnedFd,
    sync::Arc,
};

use husk_protocol::agent::ConfigureInterfaceRequest;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
};

use super::create::state_directory;
use crate::{
    container::{
        cgroup::Cgroup,
        error::ContainerError,
        table::{Agent, Phase, Process, ProcessKey},
    },
    network::{Interface, configure},
    process::{Exit, parse_signal as parse_number},
};

/// Where a process is, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Waits for the start.
    Created,
    /// Runs.
    Running,
    /// Is stopped where it is, with its container.
    Paused,
    /// Has ended like this.
    Stopped(Exit),
}

/// A process that runs in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) pid: u32,
    /// The exec that made it, the empty one for init; none: the container made it itself.
    pub(crate) exec: Option<String>,
}

impl Agent {
    /// Gives an interface to the network namespace of a container that has not ended, or to the pod's.
    pub(crate) async fn configure_interface(
        &self,
        request: &ConfigureInterfaceRequest,
    ) -> Result<(), ContainerError> {
        let interface = Interface::of(request).map_err(ContainerError::Invalid)?;
        let namespace = match request.container_id.as_str() {
            "" => self.pods_network().await?,
            id => self.network_of(id)?,
        };
        // The kernel may take its time: the interface appears after the host's word for it.
        let done = tokio::task::spawn_blocking(move || configure(&interface, &namespace)).await;
        let done = done.map_err(io::Error::other);
        let done = done.map_err(ContainerError::io("set up interface"))?;
        done.map_err(|error| ContainerError::io(error.what)(error.source))
    }

    fn network_of(&self, id: &str) -> Result<Arc<OwnedFd>, ContainerError> {
        let key = ProcessKey {
            container: id,
            exec: "",
        };
        let (process, progress) = self.progress(key)?;
        if let Progress::Stopped(_) = progress {
            return Err(ContainerError::State {
                what: key.describe(),
                state: "stopped",
            });
        }
        let path = format!("/proc/{}/ns/net", process.pid);
        let namespace = File::open(&path).map_err(ContainerError::io(format!("open {path}")))?;
        Ok(Arc::new(namespace.into()))
    }

    /// Sends a signal to one process.
    pub(crate) fn signal(&self, key: ProcessKey<'_>, signal: u32) -> Result<(), ContainerError> {
        let signal = parse_signal(signal)?;
        let process = self.process(key)?;
        let stopped = || ContainerError::State {
            what: key.describe(),
            state: "stopped",
        };
        if process.exit().is_some() {
            return Err(stopped());
        }
        if signal == Signal::KILL {
            process.note_kill();
        }
        // Not reaped yet, so the pid is still this process.
        match send(process.pid, signal) {
            Err(Errno::SRCH) => Err(stopped()),
            Err(errno) => Err(ContainerError::io(format!("signal {}", key.describe()))(
                errno,
            )),
            Ok(()) => Ok(()),
        }
    }

    /// Sends a signal to every process of a container.
    pub(crate) fn signal_all(&self, id: &str, signal: u32) -> Result<(), ContainerError> {
        let signal = parse_signal(signal)?;
        let cgroup = {
            let table = self.table();
            let container = table.container(id)?;
            if signal == Signal::KILL {
                let processes = container.processes.values();
                processes.for_each(|process| process.note_kill());
            }
            container.cgroup.clone()
        };
        if signal == Signal::KILL {
            return cgroup.kill();
        }
        for pid in cgroup.processes()? {
            match send_if_in(&cgroup, pid, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => {
                    return Err(ContainerError::io(format!("signal container {id}"))(errno));
                }
            }
        }
        Ok(())
    }

    /// Every process of a container.
    pub(crate) fn processes(&self, id: &str) -> Result<Vec<Listed>, ContainerError> {
        let cgroup = self.table().container(id)?.cgroup.clone();
        let pids = cgroup.processes()?;
        let table = self.table();
        let made: HashMap<u32, &String> = table
            .container(id)?
            .processes
            .iter()
            .filter(|(_, process)| process.exit().is_none())
            .map(|(exec, process)| (process.pid, exec))
            .collect();
        let listed = |pid| Listed {
            pid,
            exec: made.get(&pid).map(|&exec| exec.clone()),
        };
        Ok(pids.into_iter().map(listed).collect())
    }

    /// Waits for the end of a process.
    pub(crate) async fn wait(
        &self,
        key: ProcessKey<'_>,
    ) -> Result<(Arc<Process>, Exit), ContainerError> {
        let process = self.process(key)?;
        match process.ended().await {
            Some(exit) => Ok((process, exit)),
            None => Err(ContainerError::NotFound(key.describe())),
        }
    }

    /// Where a process is.
    pub(crate) fn progress(
        &self,
        key: ProcessKey<'_>,
    ) -> Result<(Arc<Process>, Progress), ContainerError> {
        let process = self.process(key)?;
        let table = self.table();
        let container = table.container(key.container)?;
        let created =
            key.exec.is_empty() && matches!(container.phase, Phase::Creating | Phase::Created(_));
        let progress = match process.exit() {
            Some(exit) => Progress::Stopped(exit),
            None if created => Progress::Created,
            None if container.paused => Progress::Paused,
            None => Progress::Running,
        };
        Ok((process, progress))
    }

    /// Forgets an ended exec.
    pub(crate) fn remove_exec(&self, key: ProcessKey<'_>) -> Result<(), ContainerError> {
        let mut table = self.table();
        let Some(container) = table.containers.get_mut(key.container) else {
            return Ok(());
        };
        match container.processes.get(key.exec) {
            Some(process) if process.exit().is_none() => Err(ContainerError::State {
                what: key.describe(),
                state: "running",
            }),
            Some(process) => {
                process.retire();
                container.processes.remove(key.exec);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Removes a container at the host's wish.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), ContainerError> {
        if let Ok(container) = self.table().container(id)
            && matches!(container.phase, Phase::Creating)
        {
            return Err(ContainerError::State {
                what: format!("container {id}"),
                state: container.phase.name(),
            });
        }
        self.remove_container(id).await
    }

    /// Kills what is left of a container and removes everything that it had. Repeating it is no error.
    pub(super) async fn remove_container(&self, id: &str) -> Result<(), ContainerError> {
        let (cgroup, name, processes) = {
            let mut table = self.table();
            let Some(container) = table.containers.get_mut(id) else {
                return Ok(());
            };
            container.phase = Phase::Deleting;
            let processes: Vec<_> = container.processes.values().cloned().collect();
            (container.cgroup.clone(), container.name.clone(), processes)
        };
        cgroup.kill()?;
        for process in processes {
            process.ended().await;
        }
        cgroup.emptied().await?;
        cgroup.remove()?;
        match fs::remove_dir_all(state_directory().join(&name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ContainerError::io(format!(
                    "remove state of container {id}"
                ))(error));
            }
            _ => {}
        }
        let mut disks = self.disks.lock().await;
        let root = self
            .table()
            .containers
            .get_mut(id)
            .and_then(|container| container.root.take());
        if let Some(mut root) = root
            && let Err(error) = disks.take_apart(&mut root)
        {
            if let Some(container) = self.table().containers.get_mut(id) {
                container.root = Some(root);
            }
            return Err(error);
        }
        self.table().containers.remove(id);
        Ok(())
    }

    /// Removes every container and unmounts every disk: the machine is about to end.
    pub(crate) async fn close(&self) -> Result<(), ContainerError> {
        let ids: Vec<String> = self.table().containers.keys().cloned().collect();
        for id in ids {
            self.remove_container(&id).await?;
        }
        self.pod.lock().await.end().await;
        self.disks.lock().await.close()
    }
}

fn parse_signal(signal: u32) -> Result<Signal, ContainerError> {
    parse_number(signal).ok_or_else(|| ContainerError::Invalid(format!("invalid signal {signal}")))
}

fn send(pid: u32, signal: Signal) -> Result<(), Errno> {
    kill_process(raw_pid(pid)?, signal)
}

/// A process that the container made itself may end at any time, and its number be given to another, which must not
/// get the signal.
fn send_if_in(cgroup: &Cgroup, pid: u32, signal: Signal) -> Result<(), Errno> {
    let process = pidfd_open(raw_pid(pid)?, PidfdFlags::empty())?;
    if !cgroup.holds(pid) {
        return Err(Errno::SRCH);
    }
    pidfd_send_signal(process, signal)
}

fn raw_pid(pid: u32) -> Result<Pid, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.ok_or(Errno::SRCH)
}
