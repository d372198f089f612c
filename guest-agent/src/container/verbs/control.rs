//! What can be done with a container that runs: its terminals, its standstill, its limits and figures, its memory kills.

use std::time::{SystemTime, UNIX_EPOCH};

use husk_protocol::agent::{StatsResponse, TerminalSize};
use oci_spec::runtime::LinuxResources;

use super::streams::size_of;
use crate::{
    container::{
        cgroup::Cgroup,
        error::ContainerError,
        table::{Agent, Phase, ProcessKey},
    },
    resources::{figures, interfaces, update},
};

impl Agent {
    /// Tells a process's terminal its size.
    pub(crate) fn resize(
        &self,
        key: ProcessKey<'_>,
        size: Option<&TerminalSize>,
    ) -> Result<(), ContainerError> {
        let size = size_of(size.ok_or_else(|| ContainerError::Invalid("no size".to_owned()))?)?;
        let process = self.process(key)?;
        let Some(terminal) = &process.streams.terminal else {
            return Err(ContainerError::Invalid(format!(
                "{} has no terminal",
                key.describe()
            )));
        };
        terminal
            .resize(size.columns, size.rows)
            .map_err(ContainerError::io(format!(
                "resize terminal of {}",
                key.describe()
            )))
    }

    /// Ends a process's standard input.
    pub(crate) async fn close_stdin(&self, key: ProcessKey<'_>) -> Result<(), ContainerError> {
        let process = self.process(key)?;
        if let Some(stdin) = &process.streams.stdin {
            stdin.close();
        }
        if let Some(terminal) = &process.streams.terminal {
            let what = format!("end the input of {}", key.describe());
            let typed = terminal.type_end().await;
            typed.map_err(ContainerError::io(what))?;
        }
        Ok(())
    }

    /// Stops every process of a container where it is. Repeating it is no error.
    pub(crate) async fn pause(&self, id: &str) -> Result<(), ContainerError> {
        let cgroup = self.note_paused(id, true)?;
        let frozen = cgroup.freeze().await;
        if frozen.is_err() {
            // The first error is the one that tells the cause.
            let _ = self.resume(id).await;
        }
        frozen
    }

    /// Lets a paused container go on. Repeating it is no error.
    pub(crate) async fn resume(&self, id: &str) -> Result<(), ContainerError> {
        self.note_paused(id, false)?.thaw().await
    }

    /// Only what runs can be paused; what is not paused goes on anyway.
    fn note_paused(&self, id: &str, paused: bool) -> Result<Cgroup, ContainerError> {
        let mut table = self.table();
        let container = table.container_mut(id)?;
        let state = |state| ContainerError::State {
            what: format!("container {id}"),
            state,
        };
        if !matches!(container.phase, Phase::Running) {
            return Err(state(container.phase.name()));
        }
        let init = container.processes.get("");
        if init.is_none_or(|init| init.exit().is_some()) {
            return Err(state("stopped"));
        }
        container.paused = paused;
        Ok(container.cgroup.clone())
    }

    /// Changes the limits of a container: all that the JSON names, or nothing.
    pub(crate) fn update(&self, id: &str, resources_json: &[u8]) -> Result<(), ContainerError> {
        let resources: LinuxResources = serde_json::from_slice(resources_json)
            .map_err(|error| ContainerError::Invalid(format!("linux.resources: {error}")))?;
        let directory = self.made(id)?.directory();
        Ok(update(&directory, &resources)?)
    }

    /// What a container has used.
    pub(crate) fn stats(&self, id: &str) -> Result<StatsResponse, ContainerError> {
        let directory = self.made(id)?.directory();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        Ok(StatsResponse {
            read_at_seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            read_at_nanos: now.subsec_nanos(),
            interfaces: self.running_init(id).map(interfaces).unwrap_or_default(),
            ..figures(&directory)
        })
    }

    /// The pid of a container's first process, as long as it runs.
    fn running_init(&self, id: &str) -> Option<u32> {
        let table = self.table();
        let init = table.container(id).ok()?.processes.get("")?;
        init.exit().is_none().then_some(init.pid)
    }

    /// The cgroup of a container that was made and is not being removed.
    fn made(&self, id: &str) -> Result<Cgroup, ContainerError> {
        let table = self.table();
        let container = table.container(id)?;
        match container.phase {
            Phase::Created(_) | Phase::Running => Ok(container.cgroup.clone()),
            Phase::Creating | Phase::Deleting => Err(ContainerError::State {
                what: format!("container {id}"),
                state: container.phase.name(),
            }),
        }
    }

    /// Answers when the kernel has killed more of a container's processes for memory than `seen`.
    pub(crate) async fn wait_oom(&self, id: &str, seen: u64) -> Result<u64, ContainerError> {
        let (cgroup, mut gone) = {
            let table = self.table();
            let container = table.container(id)?;
            (container.cgroup.clone(), container.gone.subscribe())
        };
        let removed = || ContainerError::NotFound(format!("container {id}"));
        tokio::select! {
            kills = cgroup.oom_kills_beyond(seen) => kills?.ok_or_else(removed),
            // Nothing is ever sent: it ends with the container.
            _ = gone.changed() => Err(removed()),
        }
    }
}
