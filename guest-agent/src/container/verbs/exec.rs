//! Another process in a running container.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use husk_protocol::agent::{ExecRequest, Stdio};
use oci_spec::runtime::Process as ProcessSpec;
use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{
    create::{Made, apply_user, check_id},
    streams::{owner, terminal_of, unmapped},
};
use crate::{
    container::{
        cgroup::Cgroup,
        error::ContainerError,
        files::Inside,
        ids::Ids,
        rootfs::merged,
        spec::adapt_exec,
        table::{Agent, Joined, Phase, Process, ProcessKey, Streams},
        users::home_of,
    },
    exec::{Plan, SpawnError, Spawned, Target, open_cgroup, spawn},
    process::{ChildEnds, LaunchError, make_pipes},
};

/// Where a process is to go.
struct Place {
    what: String,
    root: PathBuf,
    cgroup: Cgroup,
    joined: Arc<Joined>,
    init: Arc<Process>,
}

impl Agent {
    /// Makes and starts a process in a running container.
    pub(crate) async fn exec(&self, request: &ExecRequest) -> Result<Made, ContainerError> {
        let key = ProcessKey {
            container: &request.container_id,
            exec: &request.exec_id,
        };
        check_id(key.exec)?;
        let place = self.reserve_exec(key)?;
        let made = self.build_exec(request, &place).await;
        let mut table = self.table();
        let container = table.container_mut(key.container)?;
        container.reserved.retain(|reserved| reserved != key.exec);
        let (process, warnings) = made?;
        let pid = process.pid;
        container
            .processes
            .insert(key.exec.to_owned(), Arc::new(process));
        Ok(Made { pid, warnings })
    }

    fn reserve_exec(&self, key: ProcessKey<'_>) -> Result<Place, ContainerError> {
        let mut table = self.table();
        let container = table.container_mut(key.container)?;
        let what = format!("container {}", key.container);
        let state = |state| ContainerError::State {
            what: what.clone(),
            state,
        };
        let (init, joined) = match (container.processes.get(""), &container.joined) {
            (Some(init), Some(joined)) if matches!(container.phase, Phase::Running) => {
                (init, joined)
            }
            _ => return Err(state(container.phase.name())),
        };
        if init.exit().is_some() {
            return Err(state("stopped"));
        }
        if container.paused {
            return Err(state("paused"));
        }
        let taken = container.processes.contains_key(key.exec)
            || container.reserved.iter().any(|id| id == key.exec);
        if taken {
            return Err(ContainerError::Exists(key.describe()));
        }
        let place = Place {
            root: merged(&container.name),
            cgroup: container.cgroup.clone(),
            joined: Arc::clone(joined),
            init: Arc::clone(init),
            what,
        };
        container.reserved.push(key.exec.to_owned());
        Ok(place)
    }

    async fn build_exec(
        &self,
        request: &ExecRequest,
        place: &Place,
    ) -> Result<(Process, Vec<String>), ContainerError> {
        let (mut process, mut warnings) = adapt_exec(&request.process_json)?;
        let inside = Inside::open(&place.root)
            .map_err(ContainerError::io(format!("open root of {}", place.what)))?;
        apply_user(&mut process, &request.user, &inside)?;
        if let Some(ids) = Ids::of(&place.joined.spec) {
            ids.check(process.user())?;
        }
        add_home(&mut process, &inside)?;
        let plan = Plan::new(&process, &place.joined.inherited, &mut warnings)
            .map_err(ContainerError::Invalid)?;
        let stdio = request.stdio.clone().unwrap_or_default();
        let (ends, streams) = make_streams(&process, &stdio, place)?;
        let spawned = self.spawn_into(place, &plan, &ends)?;
        // As long as the agent has them open too, the streams have no end.
        drop(ends);
        spawned.starting.executed().await?;
        let process = Process::new(spawned.pid, spawned.exit, streams, &place.cgroup);
        Ok((process, warnings))
    }

    fn spawn_into(
        &self,
        place: &Place,
        plan: &Plan,
        ends: &ChildEnds,
    ) -> Result<Spawned, ContainerError> {
        let failed = |errno: Errno| ContainerError::io(format!("enter {}", place.what))(errno);
        let stopped = || ContainerError::State {
            what: place.what.clone(),
            state: "stopped",
        };
        let init = open_process(place.init.pid).map_err(|errno| match errno {
            Errno::SRCH => stopped(),
            errno => failed(errno),
        })?;
        let cgroup = open_cgroup(&place.cgroup.directory()).map_err(failed)?;
        let mut target = Target {
            init: init.as_fd(),
            cgroup: cgroup.as_fd(),
            user_namespace: Ids::of(&place.joined.spec).is_some(),
        };
        let spawned = match spawn(&self.reaper, plan, target, ends) {
            Err(SpawnError::CgroupBusy) => {
                // As runc does: where init has moved to, there is room.
                let cgroup = place.cgroup.of_process(place.init.pid);
                let cgroup = open_cgroup(&cgroup.directory()).map_err(failed)?;
                target.cgroup = cgroup.as_fd();
                spawn(&self.reaper, plan, target, ends)
            }
            spawned => spawned,
        };
        spawned.map_err(|error| match error {
            SpawnError::CgroupBusy => failed(Errno::BUSY),
            SpawnError::InitEnding(_) if is_ending(&place.init) => stopped(),
            SpawnError::InitEnding(error) => error.into(),
            SpawnError::Failed(LaunchError::Helper(source)) => {
                ContainerError::io(format!("enter {}", place.what))(source)
            }
            SpawnError::Failed(error) => error.into(),
        })
    }
}

/// Whether a process ends or has ended. The news of it comes later: what lives in its pid namespace ends before.
fn is_ending(process: &Process) -> bool {
    let stat = || fs::read_to_string(format!("/proc/{}/stat", process.pid));
    process.exit().is_some() || stat().map_or(true, |stat| is_exiting(&stat))
}

/// `/proc/PID/stat` of a process that has begun to exit. Its name is in parentheses and may hold any byte.
fn is_exiting(stat: &str) -> bool {
    let behind_name = stat.rsplit_once(") ").map(|(_, fields)| fields);
    let flags = behind_name.and_then(|fields| fields.split(' ').nth(STAT_FLAGS));
    let flags: Option<u32> = flags.and_then(|flags| flags.parse().ok());
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// Place of the flags behind the name.
const STAT_FLAGS: usize = 6;

/// linux/sched.h
const PF_EXITING: u32 = 4;

fn open_process(pid: u32) -> Result<OwnedFd, Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pidfd_open(pid.ok_or(Errno::SRCH)?, PidfdFlags::empty())
}

/// As runc does: the home directory of the user, where nobody says otherwise.
fn add_home(process: &mut ProcessSpec, inside: &Inside) -> Result<(), ContainerError> {
    let uid = process.user().uid();
    let environment = process.env_mut().get_or_insert_default();
    if environment.iter().any(|entry| entry.starts_with("HOME=")) {
        return Ok(());
    }
    let passwd = inside
        .read(Path::new("/etc/passwd"))
        .map_err(ContainerError::io("read /etc/passwd of the container"))?;
    let home = passwd.and_then(|passwd| home_of(&passwd, uid));
    environment.push(format!("HOME={}", home.as_deref().unwrap_or("/")));
    Ok(())
}

fn make_streams(
    process: &ProcessSpec,
    stdio: &Stdio,
    place: &Place,
) -> Result<(ChildEnds, Streams), ContainerError> {
    let uid = process.user().uid();
    let owner = owner(&place.joined.spec, uid).ok_or_else(|| unmapped(uid))?;
    let Some(size) = terminal_of(process, stdio)? else {
        let (ends, pipes) = make_pipes(stdio).map_err(ContainerError::io("make pipes"))?;
        return Ok((ends, Streams::pipes(pipes, owner)?));
    };
    let Some(devpts) = &place.joined.devpts else {
        return Err(ContainerError::Unsupported(format!(
            "a terminal in {}, which has no devpts at /dev/pts",
            place.what
        )));
    };
    let (master, ends) = devpts
        .open()
        .map_err(ContainerError::io("open /dev/pts/ptmx of the container"))?;
    Ok((ends, Streams::terminal(master, owner, size)?))
}

#[cfg(test)]
mod tests;
