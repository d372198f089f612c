//! `husk run`: image, machine, container, streams, exit code. The process that runs this owns the pod.

mod container;
mod keeper;
mod launcher;
mod options;
mod owner_log;
mod prepare;

use std::{os::unix::net::UnixStream, path::PathBuf, pin::pin};

use anyhow::{Context, Result, bail};
use husk_sandbox::{
    agent::{NewContainer, Refusal, Streams},
    engine::LogWriter,
    pod::{self, Depth, Keep, Pod, PodError, Timeline},
    settings::Settings,
    text::one_line,
};
use rustix::process::{Signal, geteuid};

use self::{
    container::{Container, Outlets, Running},
    keeper::Keeper,
    launcher::Launcher,
    prepare::{Prepared, prepare},
};
use crate::{
    args::RunArgs,
    progress::show_boot,
    report::{self, Ran, VmmCost},
    signals::{self, Signals, Step, Wish},
    tty::check_input,
    values::TimelineSink,
};

pub(crate) use launcher::{launch, take_order};
pub(crate) use owner_log::Stderr;

/// The command does not exist.
const NOT_FOUND: u8 = 127;

/// The command cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// Who waits for the container.
pub(crate) enum Mode {
    /// This process, with its own streams.
    Foreground,
    /// Nobody; over this socket it is told that the container runs.
    Detached(UnixStream),
}

/// How a run ended.
pub(crate) struct Outcome {
    code: u8,
    oom_killed: bool,
    kernel_release: String,
    /// The machine ended under the container.
    lost: Option<Box<pod::MachineEnd>>,
}

/// Runs a container and owns its pod; gives its exit code.
pub(crate) async fn run(args: &RunArgs, settings: &Settings, mode: Mode) -> Result<u8> {
    if !geteuid().is_root() {
        bail!("husk run needs root (user id is {}): use sudo", geteuid());
    }
    report::check_sink(args.timeline.as_ref())?;
    let mut timeline = Timeline::begin();
    sweep_leftovers(settings);
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let launcher = match mode {
        Mode::Foreground => {
            check_input(args.tty, args.interactive)?;
            None
        }
        Mode::Detached(socket) => Some(Launcher::new(socket, &signals)?),
    };
    let prepared = prepare(args, settings, &mut timeline, &mut signals).await?;
    let prepared = match prepared {
        Step::Done(prepared) => prepared,
        Step::Ended(signal) => return Ok(signals::exit_code(signal)),
    };
    let Prepared {
        pod,
        container,
        spec,
        about,
    } = prepared;
    let dir = settings.run_dir.join(pod.name.as_str());
    let pod = pod::launch(pod, timeline).await?;
    let outcome = async {
        let keeper = Keeper::begin(&pod, &dir, &about, spec)?;
        let outlets = match &launcher {
            Some(_) => {
                let max_bytes = u64::from(settings.log_kib) << 10;
                Outlets::Log(LogWriter::create(&dir, max_bytes)?)
            }
            None => Outlets::Ours,
        };
        let running = Run {
            pod: &pod,
            keeper: &keeper,
            keep: match about.auto_remove {
                true => Keep::Nothing,
                false => Keep::Papers,
            },
            outlets,
            word: launcher.map(|launcher| Word {
                launcher,
                id: about.id.clone(),
                dir: dir.clone(),
                timeline: args.timeline.clone(),
            }),
        };
        let outcome = running.in_pod(container, &mut signals).await;
        if let Ok(outcome) = &outcome {
            keeper.ended(outcome).await;
        }
        Ok((keeper, outcome))
    };
    let (keeper, outcome) = match outcome.await {
        Ok((keeper, outcome)) => (Some(keeper), outcome),
        Err(error) => (None, Err(error)),
    };
    finish(args, &pod, keeper, outcome).await
}

/// What an earlier husk left when it was killed goes first, whatever comes of this one.
fn sweep_leftovers(settings: &Settings) {
    match pod::sweep(&settings.run_dir, Depth::Resources) {
        Ok(swept) => {
            for left in &swept.left {
                report::warning(&format!("left over from an earlier pod: {left}"));
            }
        }
        Err(error) => report::warning(&one_line(&error)),
    }
}

/// Whatever came of the container: the pod ends, and what is to be said is said.
async fn finish(
    args: &RunArgs,
    pod: &Pod,
    keeper: Option<Keeper>,
    outcome: Result<Outcome>,
) -> Result<u8> {
    if outcome.is_err() {
        // Nothing stays of what never was.
        pod.keep(Keep::Nothing).await.ok();
    }
    let end = pod.end().await?;
    if let Some(keeper) = keeper {
        keeper.close(&end).await;
    }
    for left in &end.leftovers {
        report::warning(&format!("not removed: {left}"));
    }
    let outcome = outcome.map_err(|error| match end.is_asked_for() {
        true => error,
        // Whatever it looked like from here, this is what happened.
        false => PodError::MachineEnded(Box::new(end.clone())).into(),
    })?;
    if let Some(lost) = &outcome.lost {
        report::machine_lost(lost);
    }
    if args.detach {
        // It was told of its start, to who waited for that.
        return Ok(outcome.code);
    }
    let ran = Ran {
        kernel_release: &outcome.kernel_release,
        exit_code: Some(outcome.code),
        timeline: &end.timeline,
        vmm: end.report.as_ref().map(|report| VmmCost {
            setup_cpu_us: report.metrics.setup_cpu_us,
            private_bytes: report.metrics.private_bytes,
        }),
    };
    report::timeline(args.timeline.as_ref(), &ran)?;
    Ok(outcome.code)
}

/// A pod that boots, and what its container is for.
struct Run<'a> {
    pod: &'a Pod,
    keeper: &'a Keeper,
    keep: Keep,
    outlets: Outlets,
    word: Option<Word>,
}

/// Whom to tell that a detached container runs, and what.
struct Word {
    launcher: Launcher,
    id: String,
    /// Of its pod.
    dir: PathBuf,
    timeline: Option<TimelineSink>,
}

impl Word {
    /// Standard error is still that of the command that waits.
    async fn tell(self, pod: &Pod, kernel_release: &str) -> Result<()> {
        if self.timeline.is_some() {
            let ran = Ran {
                kernel_release,
                exit_code: None,
                timeline: &pod.timeline().await?,
                vmm: None,
            };
            report::timeline(self.timeline.as_ref(), &ran)?;
        }
        self.launcher.tell(&self.id, &self.dir).await
    }
}

impl Run<'_> {
    async fn in_pod(self, container: NewContainer, signals: &mut Signals) -> Result<Outcome> {
        let pod = self.pod;
        let ready = tokio::select! {
            ready = pod.ready() => Step::Done(ready?),
            signal = signals.next_end() => Step::Ended(signal),
            () = show_boot(pod) => bail!("the progress line ended"),
        };
        let kernel_release = match ready {
            Step::Done(info) => info.kernel_release,
            Step::Ended(signal) => return Ok(ended(signal, String::new())),
        };
        let streams = container.streams;
        let id = container.id.clone();
        let created = tokio::select! {
            created = Container::create(pod, container) => Step::Done(created),
            signal = signals.next_end() => Step::Ended(signal),
        };
        let container = match created {
            Step::Done(Ok(container)) => container,
            Step::Done(Err(error)) => return refused(error, kernel_release),
            Step::Ended(signal) => return Ok(ended(signal, kernel_release)),
        };
        let started = start(container, streams, &self.outlets, signals).await;
        let (running, early) = match started {
            Step::Done(Ok(started)) => started,
            Step::Done(Err(error)) => {
                return refused(error, kernel_release).with_context(|| format!("container {id}"));
            }
            Step::Ended(signal) => return Ok(ended(signal, kernel_release)),
        };
        self.keeper.started(pod, self.keep).await?;
        if let Some(word) = self.word {
            word.tell(pod, &kernel_release).await?;
        }
        let ended = running.wait(signals, early).await?;
        Ok(Outcome {
            code: ended.code,
            oom_killed: ended.oom_killed,
            kernel_release,
            lost: ended.lost,
        })
    }
}

/// Starts a container; the signals that come meanwhile are for the command, which has them as soon as it runs.
async fn start<'a>(
    container: Container<'a>,
    streams: Streams,
    outlets: &Outlets,
    signals: &mut Signals,
) -> Step<Result<(Running<'a>, Vec<Signal>), PodError>> {
    let mut start = pin!(container.start(streams, outlets));
    let mut early = Vec::new();
    loop {
        tokio::select! {
            started = &mut start => return Step::Done(started.map(|running| (running, early))),
            wish = signals.next() => match wish {
                Wish::Forward(signal) => early.push(signal),
                // A start that never ends is the guest's fault, not the person's.
                Wish::Kill(signal) => return Step::Ended(signal),
            },
        }
    }
}

/// A signal ended the run before the container ran.
fn ended(signal: Signal, kernel_release: String) -> Outcome {
    Outcome {
        code: signals::exit_code(signal),
        oom_killed: false,
        kernel_release,
        lost: None,
    }
}

/// A command that cannot run has exit codes of its own, as in every shell.
fn refused(error: PodError, kernel_release: String) -> Result<Outcome> {
    let code = match error.refusal() {
        Some(Refusal::CommandNotFound) => NOT_FOUND,
        Some(Refusal::CommandNotExecutable) => NOT_EXECUTABLE,
        _ => return Err(error.into()),
    };
    report::error(&error.into());
    Ok(Outcome {
        code,
        oom_killed: false,
        kernel_release,
        lost: None,
    })
}
