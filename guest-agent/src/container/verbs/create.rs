//! Making containers, and processes in them.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    mem,
    os::unix::net::UnixStream,
    sync::{Arc, PoisonError},
};

mod bundle;
mod user;

use bundle::write_bundle;
pub(in crate::container) use bundle::{apply_user, state_directory};
use husk_protocol::agent::{CreateContainerRequest, Stdio};
use oci_spec::runtime::{LinuxResources, Spec};
use tokio::sync::watch;
use user::{delegate, map_volumes, mapped};

use super::{
    share::kinds,
    streams::{owner, terminal_of, unmapped},
};
use crate::{
    container::{
        cgroup::Cgroup,
        error::ContainerError,
        ids::Ids,
        refused::refused_option,
        rootfs::merged,
        spec::{Adapted, Place, adapt, join},
        table::{Agent, Container, Joined, Phase, Process, Streams},
    },
    exec::Inherited,
    pod::Sharing,
    process::{Action, Console, Devpts, HelperJob, Names, Starting, launch, make_pipes},
    resources::{Limits, settle},
    seccomp::Program,
};

/// Longest id: containerd's limit.
const MAX_ID_BYTES: usize = 76;

/// A process that was made, and what its maker should know.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) pid: u32,
    pub(crate) warnings: Vec<String>,
}

impl Agent {
    /// Creates a container; its init waits before `execve`.
    pub(crate) async fn create(
        &self,
        request: &CreateContainerRequest,
    ) -> Result<Made, ContainerError> {
        self.check_prepared()?;
        let id = &request.container_id;
        check_id(id)?;
        let (name, cgroup) = self.reserve(id)?;
        let made = self.build(request, &name, &cgroup).await;
        if made.is_err() {
            // The first error is the one that tells the cause.
            let _ = self.remove_container(id).await;
        }
        made
    }

    fn reserve(&self, id: &str) -> Result<(String, Cgroup), ContainerError> {
        let mut table = self.table();
        if table.containers.contains_key(id) {
            return Err(ContainerError::Exists(format!("container {id}")));
        }
        table.made += 1;
        let name = format!("c{}", table.made);
        let cgroup = Cgroup::of(&name);
        let container = Container {
            name: name.clone(),
            phase: Phase::Creating,
            cgroup: cgroup.clone(),
            root: None,
            joined: None,
            paused: false,
            gone: watch::Sender::new(()),
            processes: HashMap::new(),
            reserved: Vec::new(),
        };
        table.containers.insert(id.to_owned(), container);
        Ok((name, cgroup))
    }

    async fn build(
        &self,
        request: &CreateContainerRequest,
        name: &str,
        cgroup: &Cgroup,
    ) -> Result<Made, ContainerError> {
        let wanted = request.rootfs.clone().unwrap_or_default();
        let place = Place {
            rootfs: &merged(name),
            cgroup: cgroup.path(),
            read_only: wanted.scratch_serial.is_empty(),
            shared: kinds(request.shared.as_ref()),
        };
        let mut adapted = adapt(&request.spec_json, place)?;
        let ids = Ids::of(&adapted.spec);
        let sharing = self.share(request.shared.as_ref(), ids.as_ref()).await?;
        join(&mut adapted.spec, sharing.numbers())?;
        let mapped = mapped(sharing.user(), ids.as_ref())?;
        let mut disks = self.disks.lock().await;
        let root = disks.assemble(name, &wanted, mapped).await?;
        drop(disks);
        let (directory, points) = (root.directory().to_owned(), root.mapped());
        self.table().container_mut(&request.container_id)?.root = Some(root);
        map_volumes(&self.reaper, &mut adapted.spec, sharing.user(), &points).await?;
        let (privileges, rlimits) = write_bundle(request, &directory, ids.as_ref(), &mut adapted)?;
        let Adapted {
            spec,
            filter,
            resources,
            net_sysctls,
            mut warnings,
        } = adapted;
        let limits = self.make_cgroup(cgroup, resources.as_ref())?;
        warnings.extend_from_slice(&limits.warnings);
        if let Some(ids) = &ids {
            delegate(&spec, ids, cgroup)?;
        }
        let job = HelperJob {
            action: Action::Create,
            name: name.to_owned(),
            bundle: directory,
            state: state_directory(),
            console: None,
            privileges,
            rlimits: rlimits.clone(),
            filter: filter.as_ref().map(Program::to_words),
            shared: sharing.numbers(),
            names: Names {
                host: spec.hostname().clone(),
                domain: spec.domainname().clone(),
            },
            net_sysctls,
            init: request.init,
            report_fd: -1,
        };
        let stdio = request.stdio.clone().unwrap_or_default();
        let (process, starting) = self.make_init(job, &spec, &stdio, cgroup, &sharing).await?;
        settle(&cgroup.directory(), &limits)?;
        let pid = process.pid;
        let devpts = Devpts::of(pid).map_err(ContainerError::io("open /dev/pts of container"))?;
        let mut table = self.table();
        let container = table.container_mut(&request.container_id)?;
        container.phase = Phase::Created(starting);
        container.joined = Some(Arc::new(Joined {
            inherited: Inherited::new(&spec, privileges, rlimits, filter.map(Arc::new)),
            spec,
            devpts,
        }));
        let process = Arc::new(process);
        if sharing.has_processes() {
            kill_rest(Arc::clone(&process), cgroup.clone());
        }
        container.processes.insert(String::new(), process);
        Ok(Made { pid, warnings })
    }

    pub(super) fn make_cgroup(
        &self,
        cgroup: &Cgroup,
        resources: Option<&LinuxResources>,
    ) -> Result<Limits, ContainerError> {
        let mut tree = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tree.make(&cgroup.directory(), resources)?)
    }

    /// The process that libcontainer makes, with its streams.
    async fn make_init(
        &self,
        mut job: HelperJob,
        spec: &Spec,
        stdio: &Stdio,
        cgroup: &Cgroup,
        sharing: &Sharing,
    ) -> Result<(Process, Starting), ContainerError> {
        let process = spec.process().as_ref();
        let size = process.map(|process| terminal_of(process, stdio));
        let size = size.transpose()?.flatten();
        let console = match size {
            Some(_) => Some(listen(&mut job)?),
            None => None,
        };
        let pipes = Stdio {
            stdin: stdio.stdin && console.is_none(),
            stdout: stdio.stdout && console.is_none(),
            stderr: stdio.stderr && console.is_none(),
            ..Stdio::default()
        };
        let (ends, pipes) = make_pipes(&pipes).map_err(ContainerError::io("make pipes"))?;
        let uid = process.map_or(0, |process| process.user().uid());
        let owner = owner(spec, uid);
        let streams = match owner {
            Some(owner) => Streams::pipes(pipes, owner)?,
            None => return Err(unmapped(uid)),
        };
        let launched = launch(&self.reaper, job, ends, &sharing.descriptors()).await;
        // Of a mount that the kernel refused it does not say why.
        let launched = launched
            .map_err(|error| refused_option(spec).unwrap_or_else(|| ContainerError::from(error)))?;
        let streams = match (console, size, owner) {
            (Some(console), Some(size), Some(owner)) => {
                let what = || ContainerError::io::<io::Error>("take over the terminal");
                let master = console.receive().await.map_err(what())?;
                Streams::terminal(master, owner, size)?
            }
            _ => streams,
        };
        let process = Process::new(launched.pid, launched.exit, streams, cgroup);
        Ok((process, launched.starting))
    }

    /// Lets init go on, and answers when the command runs.
    pub(crate) async fn start(&self, id: &str) -> Result<(), ContainerError> {
        let (name, starting) = {
            let mut table = self.table();
            let container = table.container_mut(id)?;
            if !matches!(container.phase, Phase::Created(_)) {
                return Err(ContainerError::State {
                    what: format!("container {id}"),
                    state: container.phase.name(),
                });
            }
            match mem::replace(&mut container.phase, Phase::Running) {
                Phase::Created(starting) => (container.name.clone(), starting),
                _ => return Err(ContainerError::NotFound(format!("container {id}"))),
            }
        };
        notify(&name).map_err(|error| match error.kind() {
            // Init does not wait there any more: it was killed before its start.
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => ContainerError::State {
                what: format!("container {id}"),
                state: "stopped",
            },
            _ => ContainerError::io(format!("start container {id}"))(error),
        })?;
        Ok(starting.executed().await?)
    }
}

/// The kernel ends a process namespace with its process 1; in a shared one that is not the container's init.
fn kill_rest(init: Arc<Process>, cgroup: Cgroup) {
    tokio::spawn(async move {
        init.ended().await;
        // Fails only if the container is being removed, which kills as well.
        let _ = cgroup.kill();
    });
}

/// A socket for the terminal that libcontainer makes.
fn listen(job: &mut HelperJob) -> Result<Console, ContainerError> {
    let console =
        Console::listen(&job.bundle).map_err(ContainerError::io("make socket for the terminal"))?;
    job.console = Some(console.path().to_owned());
    Ok(console)
}

/// Ids come from the host and go into messages and tables, never into paths.
pub(super) fn check_id(id: &str) -> Result<(), ContainerError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    if (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(plain) {
        Ok(())
    } else {
        Err(ContainerError::Invalid(format!("invalid id {id:?}")))
    }
}

/// libcontainer's init waits for a connection on this socket.
fn notify(name: &str) -> io::Result<()> {
    let socket = state_directory().join(name).join("notify.sock");
    UnixStream::connect(socket).map(drop)
}
