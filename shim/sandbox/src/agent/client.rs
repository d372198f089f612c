//! Calls to the agent.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use husk_protocol::{
    PROTOCOL_VERSION,
    agent::{
        CloseStdinRequest, CreateContainerRequest, DeleteRequest, ExecRequest, HelloRequest,
        RootFs, SharedNamespaces, ShutdownRequest, SignalRequest, StartContainerRequest, Stdio,
        SyncRequest, TerminalSize as WireSize, WaitRequest,
    },
    agent_ttrpc::AgentClient as Rpc,
    ports::AGENT_PORT,
};
use tokio::net::UnixStream;
use ttrpc::{
    asynchronous::{Client, transport::Socket},
    context::Context,
};

use super::{
    AgentError, StreamKind,
    answers::{self, Created, Exit, GuestInfo},
    connect::connect,
    stream::open_stream,
    types::{NewContainer, NewProcess, ProcessId, Reach, Shared, Streams, TerminalSize},
};

/// One connection to the agent. Cheap to clone; calls of clones run side by side.
#[derive(Clone)]
pub struct AgentClient {
    pub(super) rpc: Rpc,
    socket: PathBuf,
}

impl std::fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentClient")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// No deadline in time: callers measure the guest by its progress.
pub(super) fn patient() -> Context {
    Context::default()
}

/// One call: its name for errors, its method, its request.
macro_rules! call {
    ($self:ident, $name:literal, $method:ident, $request:expr) => {
        $self
            .rpc
            .$method(crate::agent::client::patient(), &$request)
            .await
            .map_err(|error| AgentError::from_rpc($name, &error))
    };
}
pub(super) use call;

impl AgentClient {
    /// Connects as soon as the agent listens.
    ///
    /// # Errors
    /// The guest ended or refused.
    pub async fn connect(socket: &Path) -> Result<Self, AgentError> {
        let stream = connect(socket, AGENT_PORT).await?;
        Ok(Self {
            rpc: Rpc::new(Client::new(Socket::new(stream))),
            socket: socket.to_owned(),
        })
    }

    /// The first call: checks the version and sets the guest's clock.
    ///
    /// # Errors
    /// As for every call: the connection broke, the agent refused, or its answer is not valid.
    pub async fn hello(&self) -> Result<GuestInfo, AgentError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let request = HelloRequest {
            version: PROTOCOL_VERSION,
            wall_clock_seconds: i64::try_from(now.as_secs()).unwrap_or(0),
            wall_clock_nanos: now.subsec_nanos(),
            ..HelloRequest::default()
        };
        answers::hello(call!(self, "Hello", hello, request)?)
    }

    /// Makes a container; its init waits.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn create(&self, container: NewContainer) -> Result<Created, AgentError> {
        let rootfs = RootFs {
            layer_serials: container.layer_serials,
            scratch_serial: container.scratch_serial.unwrap_or_default(),
            ..RootFs::default()
        };
        let request = CreateContainerRequest {
            container_id: container.id,
            spec_json: container.spec_json,
            rootfs: Some(rootfs).into(),
            stdio: Some(stdio(container.streams)).into(),
            user: container.user,
            shared: shared(container.shared).into(),
            init: container.init,
            ..CreateContainerRequest::default()
        };
        let answer = call!(self, "CreateContainer", create_container, request)?;
        answers::created("CreateContainer", answer.pid, &answer.warnings)
    }

    /// Lets a created container's init run.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn start(&self, container: &str) -> Result<(), AgentError> {
        let request = StartContainerRequest {
            container_id: container.to_owned(),
            ..StartContainerRequest::default()
        };
        call!(self, "StartContainer", start_container, request).map(drop)
    }

    /// Starts another process in a running container.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn exec(&self, process: NewProcess) -> Result<Created, AgentError> {
        let request = ExecRequest {
            container_id: process.id.container,
            exec_id: process.id.exec,
            process_json: process.process_json,
            stdio: Some(stdio(process.streams)).into(),
            user: process.user,
            ..ExecRequest::default()
        };
        let answer = call!(self, "Exec", exec, request)?;
        answers::created("Exec", answer.pid, &answer.warnings)
    }

    /// Signals a process, or every process of its container.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn signal(
        &self,
        process: &ProcessId,
        signal: u32,
        reach: Reach,
    ) -> Result<(), AgentError> {
        let request = SignalRequest {
            container_id: process.container.clone(),
            exec_id: process.exec.clone(),
            signal,
            all: reach == Reach::All,
            ..SignalRequest::default()
        };
        call!(self, "Signal", signal, request).map(drop)
    }

    /// Whether the agent still answers; leaves the guest's clock alone.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn ping(&self) -> Result<(), AgentError> {
        let request = HelloRequest {
            version: PROTOCOL_VERSION,
            ..HelloRequest::default()
        };
        answers::hello(call!(self, "Hello", hello, request)?).map(drop)
    }

    /// Answers when the process has ended.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn wait(&self, process: &ProcessId) -> Result<Exit, AgentError> {
        let request = WaitRequest {
            container_id: process.container.clone(),
            exec_id: process.exec.clone(),
            ..WaitRequest::default()
        };
        answers::wait(&call!(self, "Wait", wait, request)?)
    }

    /// Ends a process's standard input once what has arrived for it is written.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn close_stdin(&self, process: &ProcessId) -> Result<(), AgentError> {
        let request = CloseStdinRequest {
            container_id: process.container.clone(),
            exec_id: process.exec.clone(),
            ..CloseStdinRequest::default()
        };
        call!(self, "CloseStdin", close_stdin, request).map(drop)
    }

    /// Forgets an ended process, or removes an ended container.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn delete(&self, process: &ProcessId) -> Result<(), AgentError> {
        let request = DeleteRequest {
            container_id: process.container.clone(),
            exec_id: process.exec.clone(),
            ..DeleteRequest::default()
        };
        call!(self, "Delete", delete, request).map(drop)
    }

    /// Writes back what the guest holds of its writable disks.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn sync(&self) -> Result<(), AgentError> {
        call!(self, "Sync", sync, SyncRequest::default()).map(drop)
    }

    /// Lets the guest end in order.
    ///
    /// # Errors
    /// See [`Self::hello`].
    pub async fn shutdown(&self) -> Result<(), AgentError> {
        call!(self, "Shutdown", shutdown, ShutdownRequest::default()).map(drop)
    }

    /// Opens one standard stream of a process.
    ///
    /// # Errors
    /// The guest refuses, or its answer is not valid.
    pub async fn stream(
        &self,
        process: &ProcessId,
        kind: StreamKind,
    ) -> Result<UnixStream, AgentError> {
        open_stream(&self.socket, process, kind).await
    }
}

fn stdio(streams: Streams) -> Stdio {
    Stdio {
        stdin: streams.stdin,
        stdout: streams.stdout,
        stderr: streams.stderr,
        terminal: streams.terminal.is_some(),
        terminal_size: streams.terminal.map(wire_size).into(),
        ..Stdio::default()
    }
}

pub(super) fn wire_size(size: TerminalSize) -> WireSize {
    WireSize {
        columns: size.columns.into(),
        rows: size.rows.into(),
        ..WireSize::default()
    }
}

/// None when nothing is shared.
fn shared(wanted: Shared) -> Option<SharedNamespaces> {
    (wanted != Shared::default()).then(|| SharedNamespaces {
        net: wanted.net,
        ipc: wanted.ipc,
        uts: wanted.uts,
        pid: wanted.pid,
        ..SharedNamespaces::default()
    })
}
