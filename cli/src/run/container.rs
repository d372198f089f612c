//! The container of a run: the states it passes are types, and only a running one can be waited for.

use std::{
    io::{self, IsTerminal, stderr, stdin, stdout},
    os::unix::net::UnixStream,
};

use anyhow::{Context, Result};
use husk_sandbox::{
    agent::{NewContainer, ProcessId, Reach, StreamKind, Streams},
    engine::{LogSource, LogWriter},
    pod::{MachineEnd, Pod, PodError, ProcessExit},
};

use rustix::process::Signal;

use crate::{
    report,
    signals::{Signals, Wish},
    streams::{Copying, Outlet, Output, UNWRITABLE, copy_input, copy_output, duplicate, to_fd},
    tty::{RawTerminal, Windows},
};

/// Where the output of a container goes.
pub(super) enum Outlets {
    /// To this process's own, and its input from there.
    Ours,
    /// Into a log.
    Log(LogWriter),
}

/// A container whose init waits.
pub(super) struct Container<'a> {
    pod: &'a Pod,
    process: ProcessId,
}

/// A container that runs.
pub(super) struct Running<'a> {
    pod: &'a Pod,
    process: ProcessId,
    copying: Copying,
    terminal: Option<RawTerminal>,
    windows: Windows,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) code: u8,
    pub(super) oom_killed: bool,
    pub(super) lost: Option<Box<MachineEnd>>,
}

impl Outlets {
    fn outlet(&self, source: LogSource) -> io::Result<Outlet> {
        match (self, source) {
            (Self::Ours, LogSource::Stdout) => Ok(to_fd(duplicate(stdout())?)),
            (Self::Ours, LogSource::Stderr) => Ok(to_fd(duplicate(stderr())?)),
            (Self::Log(log), source) => {
                let sink = log.sink(source);
                Ok(Box::new(move |bytes| {
                    sink.take(bytes);
                    Ok(())
                }))
            }
        }
    }
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
    pub(super) async fn start(
        self,
        streams: Streams,
        outlets: &Outlets,
    ) -> Result<Running<'a>, PodError> {
        let ours = matches!(outlets, Outlets::Ours);
        let (started, out, err, input) = tokio::join!(
            self.pod.start(&self.process.container),
            self.open(StreamKind::Stdout, streams.stdout),
            self.open(StreamKind::Stderr, streams.stderr),
            self.open(StreamKind::Stdin, streams.stdin && ours),
        );
        // A command that cannot start is the news, whatever became of its streams.
        started?;
        let copy = |stream: Option<UnixStream>, source| -> io::Result<Option<Output>> {
            let Some(stream) = stream else {
                return Ok(None);
            };
            copy_output(stream, outlets.outlet(source)?).map(Some)
        };
        let out = copy(out?, LogSource::Stdout).map_err(stream_error)?;
        let err = copy(err?, LogSource::Stderr).map_err(stream_error)?;
        let tty = streams.terminal.is_some() && ours;
        let raw = tty && streams.stdin && stdin().is_terminal();
        let terminal = raw.then(RawTerminal::enter);
        let terminal = terminal.transpose().map_err(stream_error)?;
        if let Some(stream) = input? {
            // Only now: what cannot start must not eat what the next command of a script would read.
            let from = duplicate(stdin());
            from.and_then(|from| copy_input(from, stream))
                .map_err(stream_error)?;
        }
        self.pod.mark("container started").await;
        Ok(Running {
            pod: self.pod,
            process: self.process,
            copying: Copying::new(out.into_iter().chain(err).collect()),
            terminal,
            windows: Windows::listen(tty).map_err(stream_error)?,
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

fn stream_error(error: io::Error) -> PodError {
    PodError::Agent(error.into())
}

impl Running<'_> {
    /// Waits for the end of the command and of its output; signals are passed on meanwhile, those that came early first.
    pub(super) async fn wait(self, signals: &mut Signals, early: Vec<Signal>) -> Result<Ended> {
        let Self {
            pod,
            process,
            mut copying,
            terminal,
            mut windows,
        } = self;
        mark_first_byte(pod, &mut copying);
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
                window = windows.next() => {
                    let (pod, process) = (pod.clone(), process.clone());
                    // Beside: a signal must not wait for the agent's answer. A lost size comes with the next change.
                    tokio::spawn(async move { pod.resize(&process, window.into()).await.ok() });
                }
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
        drop(terminal);
        Ok(Ended {
            code: exit.code,
            oom_killed: exit.oom_killed,
            // A machine that we killed on demand is no news.
            lost: exit.machine.filter(|end| !killed && !end.is_asked_for()),
        })
    }
}

fn mark_first_byte(pod: &Pod, copying: &mut Copying) {
    if let Some(first) = copying.first_byte() {
        let pod = pod.clone();
        tokio::spawn(async move {
            if first.await.is_ok() {
                pod.mark("first byte").await;
            }
        });
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
