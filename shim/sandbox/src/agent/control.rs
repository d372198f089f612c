//! Calls about what runs: its terminal, its limits, its figures, its standstill.

use husk_protocol::agent::{
    ListProcessesRequest, PauseRequest, ResizeTerminalRequest, ResumeRequest, StatsRequest,
    UpdateRequest, WaitOomRequest,
};

use super::{
    AgentClient, AgentError,
    answers::{self, GuestProcess},
    client::{call, wire_size},
    interface::Interface,
    stats::{self, Stats},
    types::{ProcessId, TerminalSize},
};

impl AgentClient {
    /// Tells a process's terminal its size.
    ///
    /// # Errors
    /// The process has no terminal, or as for [`Self::hello`].
    pub async fn resize(&self, process: &ProcessId, size: TerminalSize) -> Result<(), AgentError> {
        let request = ResizeTerminalRequest {
            container_id: process.container.clone(),
            exec_id: process.exec.clone(),
            size: Some(wire_size(size)).into(),
            ..ResizeTerminalRequest::default()
        };
        call!(self, "ResizeTerminal", resize_terminal, request).map(drop)
    }

    /// Stops every process of a container where it is; repeating it is no error.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn pause(&self, container: &str) -> Result<(), AgentError> {
        let request = PauseRequest {
            container_id: container.to_owned(),
            ..PauseRequest::default()
        };
        call!(self, "Pause", pause, request).map(drop)
    }

    /// Lets a paused container go on; repeating it is no error.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn resume(&self, container: &str) -> Result<(), AgentError> {
        let request = ResumeRequest {
            container_id: container.to_owned(),
            ..ResumeRequest::default()
        };
        call!(self, "Resume", resume, request).map(drop)
    }

    /// Changes a container's limits: an OCI `linux.resources` object as JSON. All of it is applied, or nothing.
    ///
    /// # Errors
    /// A field is refused, by name and value, or as for [`Self::hello`].
    pub async fn update(&self, container: &str, resources_json: Vec<u8>) -> Result<(), AgentError> {
        let request = UpdateRequest {
            container_id: container.to_owned(),
            resources_json,
            ..UpdateRequest::default()
        };
        call!(self, "Update", update, request).map(drop)
    }

    /// What a container has used.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn stats(&self, container: &str) -> Result<Stats, AgentError> {
        let request = StatsRequest {
            container_id: container.to_owned(),
            ..StatsRequest::default()
        };
        stats::stats(call!(self, "Stats", stats, request)?)
    }

    /// Answers with the number of kills when the kernel has killed more than `seen` of a container's processes for
    /// memory.
    ///
    /// # Errors
    /// The container was removed, or as for [`Self::hello`].
    pub async fn wait_oom(&self, container: &str, seen: u64) -> Result<u64, AgentError> {
        let request = WaitOomRequest {
            container_id: container.to_owned(),
            seen,
            ..WaitOomRequest::default()
        };
        let answer = call!(self, "WaitOom", wait_oom, request)?;
        answers::kills(seen, answer.kills)
    }

    /// Gives an interface to a container's network namespace and sets it up there.
    ///
    /// # Errors
    /// There is no such interface or container, a value is refused, or as for [`Self::hello`].
    pub async fn configure_interface(
        &self,
        container: &str,
        interface: Interface,
    ) -> Result<(), AgentError> {
        let request = interface.into_request(container);
        call!(self, "ConfigureInterface", configure_interface, request).map(drop)
    }

    /// Every process of a container.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn processes(&self, container: &str) -> Result<Vec<GuestProcess>, AgentError> {
        let request = ListProcessesRequest {
            container_id: container.to_owned(),
            ..ListProcessesRequest::default()
        };
        answers::processes(call!(self, "ListProcesses", list_processes, request)?)
    }
}
