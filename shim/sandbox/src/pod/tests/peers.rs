//! The two peers of an owner, played over the real sockets and protocols: a VMM that is a process and answers on the
//! control socket, and an agent that is a ttrpc server behind the pod's vsock socket.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
};

use async_trait::async_trait;
use husk_machine::api::{
    Command as VmmCommand, Event, ExitReason, ExitReport, Message, Metrics, Reply, Request,
    config::KvmKind, wire,
};
use husk_protocol::{
    PROTOCOL_VERSION,
    agent::{
        CreateContainerRequest, CreateContainerResponse, FailureKind, HelloRequest, HelloResponse,
        SignalRequest, SignalResponse, StartContainerRequest, StartContainerResponse, WaitRequest,
        WaitResponse,
    },
    agent_ttrpc::{Agent, create_agent},
    failure,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{UnixListener, UnixStream as AsyncStream},
    sync::Notify,
};
use ttrpc::{
    Code,
    asynchronous::{Server, TtrpcContext},
};

use crate::{
    agent::{NewContainer, Shared, Streams},
    machine::{ExitWatch, GuestLimit, VmmLog},
    pod::{
        Pod, PodName, Timeline,
        launch::{Started, own},
        remains::Remains,
        run_dir::PodDir,
    },
};

/// A container of one layer.
pub(crate) fn container(id: &str) -> NewContainer {
    NewContainer {
        id: id.to_owned(),
        spec_json: b"{}".to_vec(),
        layer_serials: vec!["image".to_owned()],
        scratch_serial: None,
        streams: Streams::default(),
        user: String::new(),
        shared: Shared::default(),
        init: false,
    }
}

/// The signal that the played agent does not send.
pub(crate) const REFUSED: u32 = 64;

/// A pod whose peers are played here.
pub(crate) struct Played {
    pub(crate) pod: Pod,
    pub(crate) run: TempDir,
    /// Pid of the process that is the VMM.
    pub(super) vmm: u32,
    /// Lets the container's process end.
    pub(super) finish: Arc<Notify>,
    _server: Server,
}

/// An agent with one container; `missing` cannot be started, `silent` breaks off.
#[derive(Clone)]
struct PlayedAgent {
    finish: Arc<Notify>,
}

#[async_trait]
impl Agent for PlayedAgent {
    async fn hello(&self, _: &TtrpcContext, _: HelloRequest) -> ttrpc::Result<HelloResponse> {
        Ok(HelloResponse {
            version: PROTOCOL_VERSION,
            kernel_release: "6.12-played".to_owned(),
            ..HelloResponse::default()
        })
    }

    async fn create_container(
        &self,
        _: &TtrpcContext,
        request: CreateContainerRequest,
    ) -> ttrpc::Result<CreateContainerResponse> {
        let pid = match request.container_id.as_str() {
            "liar" => u32::MAX,
            _ => 7,
        };
        Ok(CreateContainerResponse {
            pid,
            ..CreateContainerResponse::default()
        })
    }

    async fn start_container(
        &self,
        _: &TtrpcContext,
        request: StartContainerRequest,
    ) -> ttrpc::Result<StartContainerResponse> {
        if request.container_id == "missing" {
            let kind = FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND;
            let text = "no such command".to_owned();
            return Err(failure::with_kind(Code::NOT_FOUND, kind, text));
        }
        Ok(StartContainerResponse::default())
    }

    async fn signal(
        &self,
        _: &TtrpcContext,
        request: SignalRequest,
    ) -> ttrpc::Result<SignalResponse> {
        if request.signal == REFUSED {
            let status = ttrpc::get_status(Code::INTERNAL, "signal played: no");
            return Err(ttrpc::Error::RpcStatus(status));
        }
        self.finish.notify_one();
        Ok(SignalResponse::default())
    }

    async fn wait(&self, _: &TtrpcContext, _: WaitRequest) -> ttrpc::Result<WaitResponse> {
        self.finish.notified().await;
        Ok(WaitResponse {
            exit_code: 42,
            ..WaitResponse::default()
        })
    }
}

/// Makes the peers and the owner between them.
pub(crate) async fn play() -> Played {
    let run = tempfile::tempdir().unwrap();
    let name = PodName::new("played").unwrap();
    let dir = PodDir::create(run.path(), &name).unwrap();
    let vsock = dir.path().join("vsock.sock");
    let finish = Arc::new(Notify::new());
    let server = serve_agent(run.path(), &vsock, Arc::clone(&finish)).await;
    let (process, socket) = play_vmm();
    let vmm = process.id();
    let started = Started {
        socket,
        watch: ExitWatch::new(process).unwrap(),
        remains: Remains::new(dir, VmmLog::new().unwrap()),
        vsock,
    };
    let limit = GuestLimit {
        instructions: 1_000_000_000,
        wall: std::time::Duration::from_secs(600),
    };
    let pod = own(started, name, limit, KvmKind::Hardware, Timeline::begin()).unwrap();
    Played {
        pod,
        run,
        vmm,
        finish,
        _server: server,
    }
}

/// The guest's side of the vsock: takes the connection line, then passes bytes to the agent.
async fn serve_agent(dir: &Path, vsock: &Path, finish: Arc<Notify>) -> Server {
    let inside: PathBuf = dir.join("agent.sock");
    let mut server = Server::new()
        .bind(&format!("unix://{}", inside.display()))
        .unwrap()
        .register_service(create_agent(Arc::new(PlayedAgent { finish })));
    server.start().await.unwrap();
    let listener = UnixListener::bind(vsock).unwrap();
    tokio::spawn(async move {
        while let Ok((mut host, _)) = listener.accept().await {
            let inside = inside.clone();
            tokio::spawn(async move {
                let mut line = [0; b"CONNECT 1024\n".len()];
                host.read_exact(&mut line).await.unwrap();
                host.write_all(b"OK 1\n").await.unwrap();
                let mut guest = AsyncStream::connect(inside).await.unwrap();
                copy_bidirectional(&mut host, &mut guest).await.ok();
            });
        }
    });
    server
}

/// A process that lives until it is killed or its input closes, and a thread that answers for it.
fn play_vmm() -> (Child, UnixStream) {
    let mut process = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let alive = process.stdin.take();
    let (ours, theirs) = UnixStream::pair().unwrap();
    // A killed VMM's descriptors close with it; here the kernel is played by a second reader of the process's end.
    let closing = theirs.try_clone().unwrap();
    let pid = process.id();
    thread::spawn(move || answer(theirs, alive));
    thread::spawn(move || {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        if let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            let mut ended = [rustix::event::PollFd::new(
                &fd,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut ended, None).ok();
        }
        closing.shutdown(std::net::Shutdown::Both).ok();
    });
    (process, ours)
}

fn answer(mut socket: UnixStream, alive: Option<ChildStdin>) {
    let mut alive = alive;
    while let Some(request) = read_request(&mut socket) {
        let stop = request.command == VmmCommand::Stop;
        let result = match request.command {
            VmmCommand::Metrics => Reply::Metrics(Box::default()),
            _ => Reply::Done,
        };
        send(
            &mut socket,
            &Message::Reply {
                id: request.id,
                result,
            },
        );
        if stop {
            let report = ExitReport {
                reason: ExitReason::Stopped,
                console_tail: String::new(),
                metrics: Metrics::default(),
            };
            send(
                &mut socket,
                &Message::Event(Event::Exited(Box::new(report))),
            );
            drop(alive.take());
        }
    }
}

fn send(socket: &mut UnixStream, message: &Message) {
    socket.write_all(&wire::encode(message).unwrap()).ok();
}

fn read_request(socket: &mut UnixStream) -> Option<Request> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
    socket.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}
