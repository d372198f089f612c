//! One guest that serves many checks: booted once through the sandbox, the way `husk run` does it.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result, anyhow};
use husk_sandbox::{
    agent::{NewContainer, ProcessId, Shared, StreamKind, Streams},
    artefacts::{Artefacts, FlavourChoice},
    images::{Limits, Store},
    machine::host_kvm,
    pod::{
        Dirs, Disk, MachineEnd, Pod, PodError, PodName, PodSpec, ProcessExit, SCRATCH_SERIAL,
        Timeline, launch,
    },
    spec::{Shape, default_profile},
};
use oci_spec::runtime::Spec;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    runtime::Runtime,
    try_join,
};

use crate::cli::Bench;

/// What a process left.
#[derive(Debug)]
pub struct Outcome {
    /// Its end.
    pub exit: ProcessExit,
    /// Its standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Its standard error, byte for byte.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// The three of a process without a terminal.
const ALL_STREAMS: Streams = Streams {
    stdin: true,
    stdout: true,
    stderr: true,
    terminal: None,
};

/// A running guest.
#[derive(Debug)]
pub struct Guest {
    runtime: Runtime,
    pod: Pod,
    image: String,
    next: AtomicU32,
    bench: Bench,
}

impl Guest {
    /// Boots it and waits for its agent.
    ///
    /// # Errors
    /// Anything on the way.
    pub fn boot(shape: Shape) -> Result<Self> {
        let bench = Bench::new()?;
        let run = bench.path().join("run");
        let state = bench.path().join("state");
        let artefacts = Artefacts::open(&crate::artefacts::dir()?)?;
        let store = Store::open(&bench.path().join("images"), Limits::default())?;
        let rootfs = bench.rootfs();
        let image = store.resolve(rootfs.to_str().context("path")?, &mut ())?;
        let serial = image.serial();
        std::fs::create_dir_all(&run)?;
        let host = host_kvm(&artefacts.vmm(), &state)?;
        let spec = PodSpec {
            name: PodName::new("shared")?,
            dirs: Dirs { run, state },
            uid_base: 0x7000_0000,
            vmm: artefacts.vmm(),
            kernel: artefacts.kernel(flavour()?.resolve(host.kind))?,
            initramfs: artefacts.initramfs()?,
            host,
            shape,
            images: vec![Disk {
                serial: serial.clone(),
                file: image.file,
            }],
            read_only_slots: 16,
            scratch_bytes: Some(1 << 30),
        };
        let runtime = Runtime::new()?;
        let pod = runtime.block_on(async {
            let pod = launch(spec, Timeline::begin()).await?;
            pod.ready().await?;
            Ok::<_, PodError>(pod)
        })?;
        Ok(Self {
            runtime,
            pod,
            image: serial,
            next: AtomicU32::new(0),
            bench,
        })
    }

    /// The pod.
    #[must_use]
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The root file system that its containers' image was made from.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.bench.rootfs()
    }

    /// Where its sockets and its record are.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.bench.path().join("run/shared")
    }

    /// Runs a future of the pod on the guest's runtime.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs one container to its end. `adjust` changes the specification that oci-spec makes by default.
    ///
    /// # Errors
    /// The container cannot be made, started or heard.
    pub fn run(
        &self,
        args: &[&str],
        input: &[u8],
        adjust: impl FnOnce(&mut Spec),
    ) -> Result<Outcome, PodError> {
        let id = self.fresh_id();
        let mut spec = default_spec(args);
        adjust(&mut spec);
        self.wait(self.run_container(&id, &spec, input))
    }

    /// Runs a shell script to its end.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn sh(&self, script: &str) -> Result<Outcome, PodError> {
        self.run(&["/bin/sh", "-c", script], b"", |_| ())
    }

    /// A container id that nobody had.
    #[must_use]
    pub fn fresh_id(&self) -> String {
        format!("c{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a container without starting it.
    ///
    /// # Errors
    /// The agent refuses.
    pub async fn create(&self, id: &str, spec: &Spec) -> Result<ProcessId, PodError> {
        let spec_json = serde_json::to_vec(spec).unwrap_or_default();
        self.make(id, spec_json, ALL_STREAMS, Shared::default())
            .await
    }

    /// The same with a specification as it stands, and these streams.
    ///
    /// # Errors
    /// The agent refuses.
    pub async fn create_json(
        &self,
        id: &str,
        spec_json: Vec<u8>,
        streams: Streams,
    ) -> Result<ProcessId, PodError> {
        self.make(id, spec_json, streams, Shared::default()).await
    }

    /// As [`Self::create`], with namespaces that it shares.
    ///
    /// # Errors
    /// The agent refuses.
    pub async fn create_sharing(
        &self,
        id: &str,
        spec: &Spec,
        shared: Shared,
    ) -> Result<ProcessId, PodError> {
        let spec_json = serde_json::to_vec(spec).unwrap_or_default();
        self.make(id, spec_json, ALL_STREAMS, shared).await
    }

    async fn make(
        &self,
        id: &str,
        spec_json: Vec<u8>,
        streams: Streams,
        shared: Shared,
    ) -> Result<ProcessId, PodError> {
        let container = NewContainer {
            id: id.to_owned(),
            spec_json,
            layer_serials: vec![self.image.clone()],
            scratch_serial: Some(SCRATCH_SERIAL.to_owned()),
            streams,
            user: String::new(),
            shared,
            init: false,
        };
        self.pod.create(container).await?;
        Ok(ProcessId::init(id))
    }

    async fn run_container(
        &self,
        id: &str,
        spec: &Spec,
        input: &[u8],
    ) -> Result<Outcome, PodError> {
        let process = self.create(id, spec).await?;
        let outcome = self.serve(&process, input).await;
        self.pod.delete(&process).await?;
        outcome
    }

    async fn serve(&self, process: &ProcessId, input: &[u8]) -> Result<Outcome, PodError> {
        let (mut stdin, out, err) = try_join!(
            self.pod.stream(process, StreamKind::Stdin),
            self.pod.stream(process, StreamKind::Stdout),
            self.pod.stream(process, StreamKind::Stderr),
        )?;
        self.pod.start(&process.container).await?;
        let feed = async {
            // A process that ends before it has read everything is no fault of the fixture.
            stdin.write_all(input).await.ok();
            stdin.shutdown().await.ok();
            Ok(stdin)
        };
        let (_open, stdout, stderr, exit) =
            try_join!(feed, read_all(out), read_all(err), self.pod.wait(process))?;
        Ok(Outcome {
            exit,
            stdout,
            stderr,
        })
    }

    /// Ends the guest; what is left of it, which should be nothing.
    ///
    /// # Errors
    /// The pod's owner is gone, or the directories cannot be read.
    pub fn end(self) -> Result<(MachineEnd, Vec<String>)> {
        let end = self.wait(self.pod.end())?;
        Ok((end, self.bench.leftovers()?))
    }
}

async fn read_all(mut stream: tokio::net::UnixStream) -> Result<Vec<u8>, PodError> {
    let mut bytes = Vec::new();
    // A stream that breaks shows as missing bytes, which is what the checks look at.
    stream.read_to_end(&mut bytes).await.ok();
    Ok(bytes)
}

/// The kernel's flavour: `HUSK_TEST_FLAVOUR` names another one than the host's.
fn flavour() -> Result<FlavourChoice> {
    match std::env::var("HUSK_TEST_FLAVOUR") {
        Ok(name) => name
            .parse()
            .map_err(|error| anyhow!("HUSK_TEST_FLAVOUR {name:?}: {error}")),
        Err(_) => Ok(FlavourChoice::Auto),
    }
}

/// oci-spec's default container with these arguments, in a read-write root, under the filter that `husk run` gives it.
#[must_use]
pub fn default_spec(args: &[&str]) -> Spec {
    let mut spec = Spec::default();
    if let Some(process) = spec.process_mut() {
        process.set_args(Some(args.iter().map(|word| (*word).to_owned()).collect()));
        process.set_terminal(Some(false));
        process.set_cwd("/".into());
        process.set_env(Some(vec!["PATH=/bin:/usr/bin".to_owned()]));
    }
    if let Some(root) = spec.root_mut() {
        root.set_path("rootfs".into());
        root.set_readonly(Some(false));
    }
    let granted = spec
        .process()
        .as_ref()
        .and_then(|process| process.capabilities().as_ref()?.bounding().clone());
    if let Some(linux) = spec.linux_mut() {
        let profile = default_profile(&granted.unwrap_or_default());
        // Both sides are ours: it is a profile.
        linux.set_seccomp(serde_json::from_value(profile).ok());
    }
    spec
}
