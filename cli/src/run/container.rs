//! The container of a run: the states it passes are types, and only a running one can be waited for.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use husk_sandbox::{
    agent::{NewContainer, ProcessId, Reach, StreamKind, Streams},
    pod::{MachineEnd, Pod, PodError, ProcessExit},
};
use rustix::process::Signal;
use tokio::{sync::oneshot, time::interval};

use crate::{
    report,
    signals::{Signals, Wish},
    streams::{Output, OutputEnd, copy_input, copy_output},
};

/// How often it is looked whether output still comes after the process has ended.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long the rest of the output may not move although our own reader waits for it: a guest that holds it back.
const STUCK: Duration = Duration::from_secs(120);

const UNWRITABLE: &str = "cannot write the container's output";

/// A container whose init waits.
pub(super) struct Container<'a> {
    pod: &'a Pod,
    process: ProcessId,
}

/// A container that runs.
pub(super) struct Running<'a> {
    pod: &'a Pod,
    process: ProcessId,
    outputs: Vec<Output>,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) code: u8,
    pub(super) lost: Option<Box<MachineEnd>>,
}

impl<'a> Container<'a> {
    pub(super) async fn create(pod: &'a Pod, container: NewContainer) -> Result<Self, PodError> {
        let process = ProcessId::init(&container.id);
        let created = pod.create(container).await?;
        for warning in created.warnings {
            report::warning(&warning);
        }
        pod.mark("container created").await;
        Ok(Self { pod, process })
    }

    /// Lets the command run and connects its standard streams, side by side: the agent keeps what is written meanwhile,
    /// and each answer that is waited for alone costs the guest a turn.
    pub(super) async fn start(self, streams: Streams) -> Result<Running<'a>, PodError> {
        let (started, stdout, stderr, stdin) = tokio::join!(
            self.pod.start(&self.process.container),
            self.open(StreamKind::Stdout, streams.stdout),
            self.open(StreamKind::Stderr, streams.stderr),
            self.open(StreamKind::Stdin, streams.stdin),
        );
        // A command that cannot start is the news, whatever became of its streams.
        started?;
        let outputs = [
            stdout?.map(|stream| duplicate(io::stdout()).and_then(|to| copy_output(stream, to))),
            stderr?.map(|stream| duplicate(io::stderr()).and_then(|to| copy_output(stream, to))),
        ];
        let outputs: io::Result<Vec<Output>> = outputs.into_iter().flatten().collect();
        let outputs = outputs.map_err(stream_error)?;
        if let Some(stream) = stdin? {
            // Only now: what cannot start must not eat what the next command of a script would read.
            let from = duplicate(io::stdin());
            from.and_then(|from| copy_input(from, stream))
                .map_err(stream_error)?;
        }
        self.pod.mark("container started").await;
        Ok(Running {
            pod: self.pod,
            process: self.process,
            outputs,
        })
    }

    async fn open(&self, kind: StreamKind, wanted: bool) -> Result<Option<UnixStream>, PodError> {
        if !wanted {
            return Ok(None);
        }
        let stream = self.pod.stream(&self.process, kind).await?;
        stream.into_std().map(Some).map_err(stream_error)
    }
}

fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

fn stream_error(error: io::Error) -> PodError {
    PodError::Agent(error.into())
}

impl Running<'_> {
    /// Waits for the end of the command and of its output; signals are passed on meanwhile, those that came early first.
    pub(super) async fn wait(self, signals: &mut Signals, early: Vec<Signal>) -> Result<Ended> {
        let Self {
            pod,
            process,
            outputs,
        } = self;
        let mut copying = Copying::new(pod, outputs);
        let exit = pod.wait(&process);
        let mut exit = std::pin::pin!(exit);
        let mut killed = false;
        for signal in early {
            obey(pod, &process, Wish::Forward(signal)).await;
        }
        let exit: ProcessExit = loop {
            tokio::select! {
                exit = &mut exit => break exit?,
                wish = signals.next() => killed |= obey(pod, &process, wish).await,
                error = copying.failed() => return Err(error).context(UNWRITABLE),
            }
        };
        if exit.machine.is_none() {
            pod.mark("exit").await;
            tokio::select! {
                ended = copying.complete() => {
                    ended?;
                    // A machine that dies now closes the streams too: that must not pass for the end of the output.
                    pod.instructions().await.context("the rest of the output")?;
                }
                _ = signals.next_end() => {}
            }
        }
        Ok(Ended {
            code: exit.code,
            // A machine that we killed on demand is no news.
            lost: exit.machine.filter(|_| !killed),
        })
    }
}

/// `true`: the machine was killed.
async fn obey(pod: &Pod, process: &ProcessId, wish: Wish) -> bool {
    match wish {
        Wish::Forward(signal) => {
            let (pod, process) = (pod.clone(), process.clone());
            let number = u32::try_from(signal.as_raw()).unwrap_or(0);
            // Beside: the next signal must not wait for the agent's answer to this one.
            tokio::spawn(async move {
                if let Err(error) = pod.signal(&process, number, Reach::One).await {
                    tracing::debug!(%error, "signal {number} was not delivered");
                }
            });
            false
        }
        Wish::Kill(_) => {
            let pod = pod.clone();
            tokio::spawn(async move { pod.end().await.ok() });
            true
        }
    }
}

/// The outputs that are still copied.
struct Copying {
    outputs: Vec<Output>,
}

impl Copying {
    fn new(pod: &Pod, mut outputs: Vec<Output>) -> Self {
        if let Some(stdout) = outputs.first_mut() {
            let (_, never) = oneshot::channel();
            let first = std::mem::replace(&mut stdout.first, never);
            let pod = pod.clone();
            tokio::spawn(async move {
                if first.await.is_ok() {
                    pod.mark("first byte").await;
                }
            });
        }
        Self { outputs }
    }

    /// Comes when an output fails; an output that is complete is no news.
    async fn failed(&mut self) -> io::Error {
        loop {
            match self.next_end().await {
                Some(OutputEnd::Complete) => {}
                Some(OutputEnd::Failed(error)) => return error,
                None => std::future::pending().await,
            }
        }
    }

    /// Waits until everything is copied.
    async fn complete(&mut self) -> Result<()> {
        let mut look = interval(LOOK_EVERY);
        let (mut moved, mut since) = (0, Instant::now());
        loop {
            tokio::select! {
                biased;
                end = self.next_end() => match end {
                    Some(OutputEnd::Complete) => {}
                    Some(OutputEnd::Failed(error)) => return Err(error).context(UNWRITABLE),
                    None => return Ok(()),
                },
                _ = look.tick() => {
                    let bytes: u64 = self.outputs.iter().map(|o| o.copied.bytes()).sum();
                    let ours = self.outputs.iter().any(|o| o.copied.is_writing());
                    if bytes != moved || ours {
                        (moved, since) = (bytes, Instant::now());
                    }
                    if since.elapsed() > STUCK {
                        let seconds = STUCK.as_secs();
                        bail!("the rest of the output: the guest holds it back for {seconds} s");
                    }
                }
            }
        }
    }

    /// The end of one output, whichever comes first; `None`: all have ended.
    async fn next_end(&mut self) -> Option<OutputEnd> {
        let mut ends = self.outputs.iter_mut().map(|output| &mut output.end);
        let (index, end) = match (ends.next(), ends.next()) {
            (None, _) => return None,
            (Some(only), None) => (0, only.await),
            (Some(first), Some(second)) => tokio::select! {
                end = first => (0, end),
                end = second => (1, end),
            },
        };
        self.outputs.remove(index);
        Some(end.unwrap_or(OutputEnd::Complete))
    }
}
