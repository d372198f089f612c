//! `husk run`: image, machine, container, streams, exit code.

use std::{env, path::Path, pin::pin};

use anyhow::{Context, Result, anyhow, bail};
use husk_sandbox::{
    agent::{NewContainer, Refusal, Shared, Streams},
    artefacts::{Artefacts, FlavourChoice},
    machine::{BootArtefact, KvmKind, host_kvm},
    pod::{self, Dirs, Disk, Pod, PodError, PodName, PodSpec, SCRATCH_SERIAL, Timeline},
    settings::Settings,
    spec,
    text::one_line,
};
use rustix::process::{Signal, geteuid};
use tokio::task::spawn_blocking;

use crate::{
    args::RunArgs,
    images,
    progress::show_boot,
    report::{self, Ran, VmmCost},
    run::{container::Container, options::options},
    signals::{self, Signals, Step, Wish},
};

mod container;
mod options;

/// The command does not exist.
const NOT_FOUND: u8 = 127;

/// The command cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

/// Runs a container in the foreground; gives its exit code.
pub(crate) async fn run(args: &RunArgs, settings: &Settings) -> Result<u8> {
    if !geteuid().is_root() {
        bail!("husk run needs root (user id is {}): use sudo", geteuid());
    }
    report::check_sink(args.timeline.as_ref())?;
    let mut timeline = Timeline::begin();
    sweep_leftovers(settings);
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let name = match &args.name {
        Some(name) => PodName::new(name)?,
        None => PodName::random()?,
    };
    let artefacts = Artefacts::find(settings.artefacts.as_deref())?;
    // Before the image: nobody waits for a conversion to hear that there is no KVM.
    let (vmm, state_dir) = (artefacts.vmm(), settings.state_dir.clone());
    let host = tokio::select! {
        host = spawn_blocking(move || host_kvm(&vmm, &state_dir)) => host??,
        signal = signals.next_end() => return Ok(signals::exit_code(signal)),
    };
    timeline.mark("host measured", 0);
    let image = match images::resolve(args, settings, &mut signals).await? {
        Step::Done(image) => image,
        Step::Ended(signal) => return Ok(signals::exit_code(signal)),
    };
    timeline.mark("image ready", 0);
    let options = options(args, &name)?;
    let spec = spec::container(&image.source, &image.accounts, &options, &|name| {
        env::var(name).ok()
    })?;
    let kernel = kernel(args, settings, &artefacts, host.kind)?;
    let serial = image.serial();
    let pod_spec = PodSpec {
        name: name.clone(),
        dirs: Dirs {
            run: settings.run_dir.clone(),
            state: settings.state_dir.clone(),
        },
        uid_base: settings.uid_base,
        vmm: artefacts.vmm(),
        kernel,
        initramfs: artefacts.initramfs()?,
        host,
        shape: spec::shape(&spec)?,
        images: vec![Disk {
            serial: serial.clone(),
            file: image.file,
        }],
        read_only_slots: settings.read_only_slots,
        scratch_bytes: Some(u64::from(settings.scratch_mib) << 20),
    };
    let container = NewContainer {
        id: name.as_str().to_owned(),
        spec_json: serde_json::to_vec(&spec)?,
        layer_serials: vec![serial],
        scratch_serial: Some(SCRATCH_SERIAL.to_owned()),
        streams: Streams {
            stdin: args.interactive,
            stdout: true,
            stderr: true,
            terminal: None,
        },
        user: String::new(),
        shared: Shared::default(),
    };
    let pod = pod::launch(pod_spec, timeline).await?;
    let outcome = in_pod(&pod, container, &mut signals).await;
    finish(args, &pod, outcome).await
}

/// What an earlier husk left when it was killed goes first, whatever comes of this one.
fn sweep_leftovers(settings: &Settings) {
    match pod::sweep(&settings.run_dir) {
        Ok(swept) => {
            for left in &swept.left {
                report::warning(&format!("left over from an earlier pod: {left}"));
            }
        }
        Err(error) => report::warning(&one_line(&error)),
    }
}

/// Whatever came of the container: the pod ends, and what is to be said is said.
async fn finish(args: &RunArgs, pod: &Pod, outcome: Result<Outcome>) -> Result<u8> {
    let end = pod.end().await?;
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
    let ran = Ran {
        kernel_release: &outcome.kernel_release,
        exit_code: outcome.code,
        timeline: &end.timeline,
        vmm: end.report.as_ref().map(|report| VmmCost {
            setup_cpu_us: report.metrics.setup_cpu_us,
            private_bytes: report.metrics.private_bytes,
        }),
    };
    report::timeline(args.timeline.as_ref(), &ran)?;
    Ok(outcome.code)
}

/// How a run ended.
pub(crate) struct Outcome {
    code: u8,
    kernel_release: String,
    /// The machine ended under the container.
    lost: Option<Box<pod::MachineEnd>>,
}

async fn in_pod(pod: &Pod, container: NewContainer, signals: &mut Signals) -> Result<Outcome> {
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
    let (started, early) = {
        let mut start = pin!(container.start(streams));
        let mut early = Vec::new();
        loop {
            tokio::select! {
                started = &mut start => break (started, early),
                wish = signals.next() => match wish {
                    // The command has them as soon as it runs.
                    Wish::Forward(signal) => early.push(signal),
                    // A start that never ends is the guest's fault, not the person's.
                    Wish::Kill(signal) => return Ok(ended(signal, kernel_release)),
                },
            }
        }
    };
    match started {
        Ok(running) => {
            let ended = running.wait(signals, early).await?;
            Ok(Outcome {
                code: ended.code,
                kernel_release,
                lost: ended.lost,
            })
        }
        Err(error) => refused(error, kernel_release).with_context(|| format!("container {id}")),
    }
}

/// A signal ended the run before the container ran.
fn ended(signal: Signal, kernel_release: String) -> Outcome {
    Outcome {
        code: signals::exit_code(signal),
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
        kernel_release,
        lost: None,
    })
}

fn kernel(
    args: &RunArgs,
    settings: &Settings,
    artefacts: &Artefacts,
    kind: KvmKind,
) -> Result<BootArtefact> {
    let choice = match args.kernel.as_deref() {
        Some(path) if path.contains('/') => return Ok(Artefacts::kernel_file(Path::new(path))?),
        Some(word) => word
            .parse()
            .map_err(|error: String| anyhow!("--kernel: {error}"))?,
        None => settings.kernel,
    };
    let choice: FlavourChoice = choice;
    Ok(artefacts.kernel(choice.resolve(kind))?)
}
