//! One method per call. What changes something runs in a task of its own: a host whose connection is lost must not
//! leave a half-made container behind, because ttrpc drops the calls of a lost connection.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use husk_protocol::{
    PROTOCOL_VERSION,
    agent::{
        CloseStdinRequest, CloseStdinResponse, ConfigureInterfaceRequest,
        ConfigureInterfaceResponse, CreateContainerRequest, CreateContainerResponse, DeleteRequest,
        DeleteResponse, ExecRequest, ExecResponse, HelloRequest, HelloResponse,
        ListProcessesRequest, ListProcessesResponse, ListedProcess, PauseRequest, PauseResponse,
        ProcessState, ResizeTerminalRequest, ResizeTerminalResponse, ResumeRequest, ResumeResponse,
        ShutdownRequest, ShutdownResponse, SignalRequest, SignalResponse, StartContainerRequest,
        StartContainerResponse, StateRequest, StateResponse, StatsRequest, StatsResponse,
        SyncRequest, SyncResponse, UpdateRequest, UpdateResponse, WaitOomRequest, WaitOomResponse,
        WaitRequest, WaitResponse,
    },
    agent_ttrpc::Agent as AgentCalls,
    failure,
};
use tokio::sync::mpsc;
use ttrpc::{Code, r#async::TtrpcContext};

use super::errors::status;
use crate::{
    container::{Agent, ContainerError, Listed, Process, ProcessKey, Progress},
    guest::{set_wall_clock, write_back},
    process::Exit,
};

/// When the agent's own start happened, in microseconds since the kernel's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    pub(crate) started_us: u64,
    pub(crate) ready_us: u64,
}

/// Serves the calls of every connection.
#[derive(Debug)]
pub(crate) struct AgentService {
    agent: Arc<Agent>,
    timeline: Timeline,
    /// Says that the machine is to end, after the answer.
    end: mpsc::Sender<()>,
}

type Answer<T> = ttrpc::Result<T>;

impl AgentService {
    pub(crate) fn new(agent: Arc<Agent>, timeline: Timeline, end: mpsc::Sender<()>) -> Self {
        Self {
            agent,
            timeline,
            end,
        }
    }

    /// Runs to its end what has begun, whatever becomes of the caller.
    async fn detached<T, F>(&self, work: impl FnOnce(Arc<Agent>) -> F) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ContainerError>> + Send + 'static,
    {
        match tokio::spawn(work(Arc::clone(&self.agent))).await {
            Ok(result) => result.map_err(|error| status(&error)),
            Err(error) => Err(failure::plain(Code::INTERNAL, error.to_string())),
        }
    }
}

fn exit_message(process: &Process, exit: Exit) -> WaitResponse {
    WaitResponse {
        exit_code: exit.code,
        exited_at_seconds: i64::try_from(exit.at.as_secs()).unwrap_or(i64::MAX),
        exited_at_nanos: exit.at.subsec_nanos(),
        oom_killed: process.oom_killed(),
        ..WaitResponse::default()
    }
}

#[async_trait]
impl AgentCalls for AgentService {
    async fn hello(&self, _: &TtrpcContext, request: HelloRequest) -> Answer<HelloResponse> {
        if request.version != PROTOCOL_VERSION {
            return Err(failure::plain(
                Code::FAILED_PRECONDITION,
                format!(
                    "protocol version {} is not {PROTOCOL_VERSION}",
                    request.version
                ),
            ));
        }
        if request.wall_clock_seconds != 0 {
            set_wall_clock(request.wall_clock_seconds, request.wall_clock_nanos)
                .map_err(ContainerError::io("set wall clock"))
                .map_err(|error| status(&error))?;
        }
        Ok(HelloResponse {
            version: PROTOCOL_VERSION,
            kernel_release: rustix::system::uname().release().to_string_lossy().into(),
            agent_start_us: self.timeline.started_us,
            agent_ready_us: self.timeline.ready_us,
            ..HelloResponse::default()
        })
    }

    async fn create_container(
        &self,
        _: &TtrpcContext,
        request: CreateContainerRequest,
    ) -> Answer<CreateContainerResponse> {
        let made = self
            .detached(|agent| async move { agent.create(&request).await })
            .await?;
        Ok(CreateContainerResponse {
            pid: made.pid,
            warnings: made.warnings,
            ..CreateContainerResponse::default()
        })
    }

    async fn start_container(
        &self,
        _: &TtrpcContext,
        request: StartContainerRequest,
    ) -> Answer<StartContainerResponse> {
        self.detached(|agent| async move { agent.start(&request.container_id).await })
            .await?;
        Ok(StartContainerResponse::default())
    }

    async fn exec(&self, _: &TtrpcContext, request: ExecRequest) -> Answer<ExecResponse> {
        let made = self
            .detached(|agent| async move { agent.exec(&request).await })
            .await?;
        Ok(ExecResponse {
            pid: made.pid,
            warnings: made.warnings,
            ..ExecResponse::default()
        })
    }

    async fn signal(&self, _: &TtrpcContext, request: SignalRequest) -> Answer<SignalResponse> {
        let sent = if request.all {
            self.agent.signal_all(&request.container_id, request.signal)
        } else {
            let key = key(&request.container_id, &request.exec_id);
            self.agent.signal(key, request.signal)
        };
        sent.map_err(|error| status(&error))?;
        Ok(SignalResponse::default())
    }

    async fn wait(&self, _: &TtrpcContext, request: WaitRequest) -> Answer<WaitResponse> {
        let (process, exit) = self
            .agent
            .wait(key(&request.container_id, &request.exec_id))
            .await
            .map_err(|error| status(&error))?;
        Ok(exit_message(&process, exit))
    }

    async fn close_stdin(
        &self,
        _: &TtrpcContext,
        request: CloseStdinRequest,
    ) -> Answer<CloseStdinResponse> {
        self.agent
            .close_stdin(key(&request.container_id, &request.exec_id))
            .await
            .map_err(|error| status(&error))?;
        Ok(CloseStdinResponse::default())
    }

    async fn list_processes(
        &self,
        _: &TtrpcContext,
        request: ListProcessesRequest,
    ) -> Answer<ListProcessesResponse> {
        let processes = self
            .agent
            .processes(&request.container_id)
            .map_err(|error| status(&error))?;
        let listed = |process: Listed| ListedProcess {
            pid: process.pid,
            init: process.exec.as_deref() == Some(""),
            exec_id: process.exec.unwrap_or_default(),
            ..ListedProcess::default()
        };
        Ok(ListProcessesResponse {
            processes: processes.into_iter().map(listed).collect(),
            ..ListProcessesResponse::default()
        })
    }

    async fn state(&self, _: &TtrpcContext, request: StateRequest) -> Answer<StateResponse> {
        let (process, progress) = self
            .agent
            .progress(key(&request.container_id, &request.exec_id))
            .map_err(|error| status(&error))?;
        let (state, exit) = match progress {
            Progress::Created => (ProcessState::PROCESS_STATE_CREATED, None),
            Progress::Running => (ProcessState::PROCESS_STATE_RUNNING, None),
            Progress::Paused => (ProcessState::PROCESS_STATE_PAUSED, None),
            Progress::Stopped(exit) => (ProcessState::PROCESS_STATE_STOPPED, Some(exit)),
        };
        Ok(StateResponse {
            state: state.into(),
            pid: process.pid,
            exit: exit.map(|exit| exit_message(&process, exit)).into(),
            ..StateResponse::default()
        })
    }

    async fn resize_terminal(
        &self,
        _: &TtrpcContext,
        request: ResizeTerminalRequest,
    ) -> Answer<ResizeTerminalResponse> {
        let key = key(&request.container_id, &request.exec_id);
        self.agent
            .resize(key, request.size.as_ref())
            .map_err(|error| status(&error))?;
        Ok(ResizeTerminalResponse::default())
    }

    async fn pause(&self, _: &TtrpcContext, request: PauseRequest) -> Answer<PauseResponse> {
        self.detached(|agent| async move { agent.pause(&request.container_id).await })
            .await?;
        Ok(PauseResponse::default())
    }

    async fn resume(&self, _: &TtrpcContext, request: ResumeRequest) -> Answer<ResumeResponse> {
        self.detached(|agent| async move { agent.resume(&request.container_id).await })
            .await?;
        Ok(ResumeResponse::default())
    }

    async fn update(&self, _: &TtrpcContext, request: UpdateRequest) -> Answer<UpdateResponse> {
        self.agent
            .update(&request.container_id, &request.resources_json)
            .map_err(|error| status(&error))?;
        Ok(UpdateResponse::default())
    }

    async fn stats(&self, _: &TtrpcContext, request: StatsRequest) -> Answer<StatsResponse> {
        self.agent
            .stats(&request.container_id)
            .map_err(|error| status(&error))
    }

    async fn wait_oom(&self, _: &TtrpcContext, request: WaitOomRequest) -> Answer<WaitOomResponse> {
        let kills = self
            .agent
            .wait_oom(&request.container_id, request.seen)
            .await
            .map_err(|error| status(&error))?;
        Ok(WaitOomResponse {
            kills,
            ..WaitOomResponse::default()
        })
    }

    async fn delete(&self, _: &TtrpcContext, request: DeleteRequest) -> Answer<DeleteResponse> {
        self.detached(|agent| async move {
            if request.exec_id.is_empty() {
                agent.remove(&request.container_id).await
            } else {
                agent.remove_exec(key(&request.container_id, &request.exec_id))
            }
        })
        .await?;
        Ok(DeleteResponse::default())
    }

    async fn configure_interface(
        &self,
        _: &TtrpcContext,
        request: ConfigureInterfaceRequest,
    ) -> Answer<ConfigureInterfaceResponse> {
        self.detached(|agent| async move { agent.configure_interface(&request).await })
            .await?;
        Ok(ConfigureInterfaceResponse::default())
    }

    async fn sync(&self, _: &TtrpcContext, _: SyncRequest) -> Answer<SyncResponse> {
        write_back();
        Ok(SyncResponse::default())
    }

    async fn shutdown(&self, _: &TtrpcContext, _: ShutdownRequest) -> Answer<ShutdownResponse> {
        let closed = self
            .detached(|agent| async move { agent.close().await })
            .await;
        write_back();
        // The machine ends even if something could not be unmounted: everything is written.
        let _ = self.end.send(()).await;
        closed?;
        Ok(ShutdownResponse::default())
    }
}

fn key<'a>(container: &'a str, exec: &'a str) -> ProcessKey<'a> {
    ProcessKey { container, exec }
}
