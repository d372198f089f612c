//! Making containers, and processes in them.

use std::{
    collections::HashMap,
    fs,
    io::{self, ErrorKind},
    mem,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

mod bundle;

pub(super) use bundle::state_directory;
use bundle::{Bundle, FILTER, apply_user, own_privileges, take_privileges, write_bundle};
use husk_protocol::agent::{CreateContainerRequest, ExecRequest, Stdio};
use oci_spec::runtime::LinuxResources;

use super::{
    cgroup::Cgroup,
    error::ContainerError,
    files::Inside,
    spec::adapt_exec,
    table::{Agent, Container, Phase, Process, ProcessKey},
};
use crate::{
    guest::RUN,
    process::{Action, HelperJob, Privileges, Starting, launch, make_pipes},
    resources::{Limits, settle},
};

/// Longest id: containerd's limit.
const MAX_ID_BYTES: usize = 76;

/// A process that was made, and what its maker should know.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) pid: u32,
    pub(crate) warnings: Vec<String>,
}

/// What is needed beside the container itself to make a process of it.
struct NewProcess {
    action: Action,
    name: String,
    bundle: PathBuf,
    process: Option<PathBuf>,
    privileges: Privileges,
    filter: Option<PathBuf>,
    net_sysctls: Vec<(String, String)>,
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
        let root = self.disks.lock().await.assemble(name, &wanted).await?;
        let written = write_bundle(request, &root, cgroup);
        let bundle = root.directory().to_owned();
        self.table().container_mut(&request.container_id)?.root = Some(root);
        let Bundle {
            privileges,
            filter,
            resources,
            net_sysctls,
            mut warnings,
        } = written?;
        let limits = self.make_cgroup(cgroup, resources.as_ref())?;
        warnings.extend_from_slice(&limits.warnings);
        let new = NewProcess {
            action: Action::Create,
            name: name.to_owned(),
            bundle,
            process: None,
            privileges,
            filter,
            net_sysctls,
        };
        let stdio = request.stdio.clone().unwrap_or_default();
        let (process, starting) = self.make(new, &stdio).await?;
        settle(&cgroup.directory(), &limits)?;
        let pid = process.pid;
        let mut table = self.table();
        let container = table.container_mut(&request.container_id)?;
        container.phase = Phase::Created(starting);
        container.processes.insert(String::new(), Arc::new(process));
        Ok(Made { pid, warnings })
    }

    fn make_cgroup(
        &self,
        cgroup: &Cgroup,
        resources: Option<&LinuxResources>,
    ) -> Result<Limits, ContainerError> {
        let mut tree = self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tree.make(&cgroup.directory(), resources)?)
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

    /// Makes and starts a process in a running container.
    pub(crate) async fn exec(&self, request: &ExecRequest) -> Result<Made, ContainerError> {
        let key = ProcessKey {
            container: &request.container_id,
            exec: &request.exec_id,
        };
        check_id(key.exec)?;
        let (name, bundle) = self.reserve_exec(key)?;
        let made = self.build_exec(request, name, bundle).await;
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

    fn reserve_exec(&self, key: ProcessKey<'_>) -> Result<(String, PathBuf), ContainerError> {
        let mut table = self.table();
        let container = table.container_mut(key.container)?;
        let init = container.processes.get("");
        let state = match (&container.phase, init.and_then(|init| init.exit())) {
            (Phase::Running, None) => None,
            (Phase::Running, Some(_)) => Some("stopped"),
            (phase, _) => Some(phase.name()),
        };
        if let Some(state) = state {
            return Err(ContainerError::State {
                what: format!("container {}", key.container),
                state,
            });
        }
        let taken = container.processes.contains_key(key.exec)
            || container.reserved.iter().any(|id| id == key.exec);
        if taken {
            return Err(ContainerError::Exists(key.describe()));
        }
        container.reserved.push(key.exec.to_owned());
        let directory = Path::new(RUN).join("containers").join(&container.name);
        Ok((container.name.clone(), directory))
    }

    async fn build_exec(
        &self,
        request: &ExecRequest,
        name: String,
        bundle: PathBuf,
    ) -> Result<(Process, Vec<String>), ContainerError> {
        let (mut process, mut warnings) = adapt_exec(&request.process_json)?;
        let inside = Inside::open(&bundle.join("rootfs"))
            .map_err(ContainerError::io(format!("open root of {name}")))?;
        apply_user(&mut process, &request.user, &inside)?;
        let privileges = match process.capabilities() {
            Some(_) => take_privileges(&mut process, &mut warnings)?,
            None => own_privileges(&bundle).map_err(ContainerError::io("read privileges"))?,
        };
        // The process of an exec has none of its own: the container's applies.
        let filter = bundle.join(FILTER);
        // A name of the agent's own: the exec id may be used again.
        let path = bundle.join(format!("process-{}.json", self.next_number()));
        let write = || fs::write(&path, serde_json::to_vec(&process)?);
        write().map_err(ContainerError::io("write process of exec"))?;
        let new = NewProcess {
            action: Action::Exec,
            name,
            bundle,
            process: Some(path.clone()),
            privileges,
            filter: Some(filter).filter(|filter| filter.exists()),
            net_sysctls: Vec::new(),
        };
        let stdio = request.stdio.clone().unwrap_or_default();
        let made = self.make(new, &stdio).await;
        // Of no use to anybody any more, and removed with the container at the latest.
        let _ = fs::remove_file(&path);
        let (process, starting) = made?;
        starting.executed().await?;
        Ok((process, warnings))
    }

    fn next_number(&self) -> u64 {
        let mut table = self.table();
        table.made += 1;
        table.made
    }

    async fn make(
        &self,
        new: NewProcess,
        stdio: &Stdio,
    ) -> Result<(Process, Starting), ContainerError> {
        if stdio.terminal {
            return Err(ContainerError::Unsupported("stdio.terminal".to_owned()));
        }
        let (ends, pipes) = make_pipes(stdio).map_err(ContainerError::io("make pipes"))?;
        let cgroup = Cgroup::of(&new.name);
        let job = HelperJob {
            action: new.action,
            name: new.name,
            bundle: new.bundle,
            state: state_directory(),
            process: new.process,
            privileges: new.privileges,
            filter: new.filter,
            net_sysctls: new.net_sysctls,
            report_fd: -1,
        };
        let launched = launch(&self.reaper, job, ends).await?;
        let process = Process::new(launched.pid, launched.exit, pipes)?;
        // A container that may trace processes could write into the report of an exec: the pid that it names would be
        // signalled later, so it must be one of the container's own.
        if process.exit().is_none() && !cgroup.holds(process.pid) {
            return Err(ContainerError::Invalid(format!(
                "reported process {} is not in the container",
                process.pid
            )));
        }
        Ok((process, launched.starting))
    }
}

/// Ids come from the host and go into messages and tables, never into paths.
fn check_id(id: &str) -> Result<(), ContainerError> {
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
