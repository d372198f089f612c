//! Boots the agent, makes its disks, speaks to it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, id},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use husk_protocol::{
    PROTOCOL_VERSION,
    agent::{
        CreateContainerRequest, DeleteRequest, ExecRequest, FailureKind, HelloRequest, RootFs,
        StartContainerRequest, Stdio, StreamKind, StreamOpen, StreamOpened, WaitRequest,
        WaitResponse,
    },
    agent_ttrpc::AgentClient,
    failure::kind_of,
    frame,
    ports::{AGENT_PORT, DOORBELL_READY, DOORBELL_STARTED, STREAM_PORT},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use ttrpc::{
    Code, Status,
    asynchronous::Client,
    context::{Context, with_duration},
};

/// For hosts under load; nothing is measured with it.
const LIMIT: Duration = Duration::from_secs(300);

/// Debian's busybox-static.
const BUSYBOX: &str = "/bin/busybox";

/// A file as a block device.
struct Loop(String);

impl Loop {
    fn new(file: &Path) -> Self {
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(file)
            .output()
            .unwrap();
        assert!(made.status.success(), "needs root and loop devices");
        Self(String::from_utf8(made.stdout).unwrap().trim().to_owned())
    }

    fn minor(&self) -> &str {
        self.0.strip_prefix("/dev/loop").unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.0)
            .status();
    }
}

/// A part of the host's cgroup tree.
struct CgroupPart(String);

impl CgroupPart {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self(format!("husk-test-{}-{number}", id()))
    }
}

impl Drop for CgroupPart {
    fn drop(&mut self) {
        let script = "mount -t tmpfs tmpfs /mnt; mkdir /mnt/tree; mount -t cgroup2 cgroup2 /mnt/tree; \
                      cd /mnt/tree; find \"$CGROUP\" -depth -type d -exec rmdir {} +";
        let _ = Command::new("unshare")
            .args(["-m", "sh", "-ec", script])
            .env("CGROUP", &self.0)
            .status();
    }
}

/// A running agent. Ends with everything in it when it is dropped.
pub(crate) struct Guest {
    pub(crate) calls: AgentClient,
    pub(crate) agent: Child,
    sockets: PathBuf,
    _cgroup: CgroupPart,
    _disks: [Loop; 2],
    _directory: TempDir,
}

impl Drop for Guest {
    fn drop(&mut self) {
        // The end of PID 1 ends all of its namespace, and only then unshare, which waits for it.
        let children = format!("/proc/{0}/task/{0}/children", self.agent.id());
        let agent = fs::read_to_string(children).unwrap_or_default();
        if let Some(pid) = agent.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.agent.wait();
    }
}

impl Guest {
    pub(crate) async fn boot() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let image = Loop::new(&make_image(directory.path()));
        let scratch = Loop::new(&make_scratch(directory.path()));
        let sockets = directory.path().join("sockets");
        fs::create_dir(&sockets).unwrap();
        let socket = |port: u32| sockets.join(port.to_string());
        let started = UnixListener::bind(socket(DOORBELL_STARTED)).unwrap();
        let ready = UnixListener::bind(socket(DOORBELL_READY)).unwrap();
        let cgroup = CgroupPart::new();
        let agent = Command::new("unshare")
            .args(["-m", "-p", "-f", "-n", "--mount-proc"])
            .args(["sh", "-ec", include_str!("guest.sh")])
            .env("HUSK_AGENT_SOCKETS", &sockets)
            .env("AGENT", env!("CARGO_BIN_EXE_husk-agent"))
            .env("CGROUP", &cgroup.0)
            .env("IMAGE", image.minor())
            .env("SCRATCH", scratch.minor())
            .spawn()
            .unwrap();
        for doorbell in [started, ready] {
            timeout(LIMIT, doorbell.accept()).await.unwrap().unwrap();
        }
        let address = format!("unix://{}", socket(AGENT_PORT).display());
        let calls = AgentClient::new(Client::connect(&address).await.unwrap());
        let hello = HelloRequest {
            version: PROTOCOL_VERSION,
            ..HelloRequest::default()
        };
        calls.hello(context(), &hello).await.unwrap();
        Self {
            calls,
            agent,
            sockets,
            _cgroup: cgroup,
            _disks: [image, scratch],
            _directory: directory,
        }
    }

    /// Pids of the agent's children, as the host numbers them; those that ended and were not reaped count.
    pub(crate) fn children(&self) -> Vec<String> {
        let of = |pid: &str| {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
            let children = children.unwrap();
            let pids = children.split_whitespace().map(str::to_owned);
            pids.collect::<Vec<_>>()
        };
        of(&of(&self.agent.id().to_string())[0])
    }

    /// Creates a container and starts it.
    pub(crate) async fn run(&self, request: &CreateContainerRequest) {
        self.calls
            .create_container(context(), request)
            .await
            .unwrap();
        self.start(&request.container_id).await;
    }

    pub(crate) async fn start(&self, id: &str) {
        let request = StartContainerRequest {
            container_id: id.into(),
            ..StartContainerRequest::default()
        };
        self.calls
            .start_container(context(), &request)
            .await
            .unwrap();
    }

    pub(crate) async fn wait(&self, id: &str, exec: &str) -> WaitResponse {
        let request = WaitRequest {
            container_id: id.into(),
            exec_id: exec.into(),
            ..WaitRequest::default()
        };
        self.calls.wait(context(), &request).await.unwrap()
    }

    pub(crate) async fn delete(&self, id: &str) {
        let request = DeleteRequest {
            container_id: id.into(),
            ..DeleteRequest::default()
        };
        self.calls.delete(context(), &request).await.unwrap();
    }

    /// Runs a shell script to its end and gives what it wrote.
    pub(crate) async fn script(&self, id: &str, script: &str) -> String {
        self.run(&create(id, &["sh", "-c", script])).await;
        let written = self.read(id, "").await;
        self.wait(id, "").await;
        written
    }

    /// Everything that a process writes to its standard output.
    pub(crate) async fn read(&self, id: &str, exec: &str) -> String {
        let mut stream = self.stream(id, exec, StreamKind::STREAM_KIND_STDOUT).await;
        let mut written = String::new();
        let reading = stream.read_to_string(&mut written);
        timeout(LIMIT, reading).await.unwrap().unwrap();
        written
    }

    pub(crate) async fn stream(&self, id: &str, exec: &str, kind: StreamKind) -> UnixStream {
        let path = self.sockets.join(STREAM_PORT.to_string());
        let mut stream = UnixStream::connect(path).await.unwrap();
        let open = StreamOpen {
            container_id: id.into(),
            exec_id: exec.into(),
            kind: kind.into(),
            ..StreamOpen::default()
        };
        stream
            .write_all(&frame::encode(&open).unwrap())
            .await
            .unwrap();
        let mut length = [0; frame::LENGTH_BYTES];
        stream.read_exact(&mut length).await.unwrap();
        let mut body = vec![0; frame::body_len(length).unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        let opened: StreamOpened = frame::parse(&body).unwrap();
        assert_eq!(opened.error, "");
        stream
    }
}

pub(crate) fn context() -> Context {
    with_duration(LIMIT)
}

/// A request for a container with a writable root and all streams but standard input.
pub(crate) fn create(id: &str, args: &[&str]) -> CreateContainerRequest {
    let mut request = CreateContainerRequest {
        container_id: id.into(),
        ..CreateContainerRequest::default()
    };
    set_spec(&mut request, args, |_| {});
    request.rootfs = Some(RootFs {
        layer_serials: vec!["image1".into()],
        scratch_serial: "scratch0".into(),
        ..RootFs::default()
    })
    .into();
    request.stdio = Some(Stdio {
        stdout: true,
        stderr: true,
        ..Stdio::default()
    })
    .into();
    request
}

/// Gives a request a specification as engines write it, with a change.
pub(crate) fn set_spec(
    request: &mut CreateContainerRequest,
    args: &[&str],
    change: impl FnOnce(&mut Value),
) {
    let namespaces = ["pid", "network", "ipc", "uts", "mount"].map(|kind| json!({"type": kind}));
    let mut spec = json!({
        "ociVersion": "1.0.2",
        "process": process(args),
        "root": {"path": "rootfs"},
        "hostname": "inside",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        ],
        "linux": {"namespaces": namespaces},
    });
    change(&mut spec);
    request.spec_json = serde_json::to_vec(&spec).unwrap();
}

pub(crate) fn process(args: &[&str]) -> Value {
    json!({"user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin"], "cwd": "/work"})
}

/// A request for an exec in container "c" with standard output.
pub(crate) fn exec(id: &str, args: &[&str]) -> ExecRequest {
    ExecRequest {
        container_id: "c".into(),
        exec_id: id.into(),
        process_json: serde_json::to_vec(&process(args)).unwrap(),
        stdio: Some(Stdio {
            stdout: true,
            ..Stdio::default()
        })
        .into(),
        ..ExecRequest::default()
    }
}

/// The status of a refused call.
pub(crate) fn refusal<T: std::fmt::Debug>(result: ttrpc::Result<T>) -> Status {
    match result {
        Err(ttrpc::Error::RpcStatus(status)) => status,
        other => panic!("not refused: {other:?}"),
    }
}

/// Code and kind of a status.
pub(crate) fn class(status: &Status) -> (Code, Option<FailureKind>) {
    (status.code.enum_value().unwrap(), kind_of(status))
}

fn make_image(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::copy(BUSYBOX, root.join("bin/busybox")).expect("busybox-static is not installed");
    for name in [
        "sh", "cat", "echo", "head", "hostname", "id", "ls", "sleep", "touch", "true",
    ] {
        symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
    )
    .unwrap();
    fs::write(root.join("etc/group"), "web:x:34:\nlog:x:50:web\n").unwrap();
    let image = directory.join("image.erofs");
    succeed(Command::new("mkfs.erofs").arg(&image).arg(&root));
    image
}

fn make_scratch(directory: &Path) -> PathBuf {
    let scratch = directory.join("scratch.ext4");
    let file = fs::File::create(&scratch).unwrap();
    file.set_len(64 << 20).unwrap();
    succeed(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4"])
            .arg(&scratch),
    );
    scratch
}

fn succeed(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}
