//! From the command line to a pod and a container: what is needed of image, host and settings.

use std::{env, path::Path};

use anyhow::{Result, anyhow};
use husk_sandbox::spec::Spec;
use husk_sandbox::{
    agent::{NewContainer, Shared, Streams},
    artefacts::{Artefacts, FlavourChoice},
    engine::{About, Instant, signal_number},
    images::ImageSource,
    machine::{BootArtefact, KvmKind, host_kvm},
    pod::{Dirs, Disk, PodName, PodSpec, SCRATCH_SERIAL, Timeline},
    settings::Settings,
    spec,
};
use rustix::process::Signal;
use tokio::task::spawn_blocking;

use super::options::options;
use crate::{
    args::RunArgs,
    images, report,
    signals::{Signals, Step},
    tty,
};

/// How long a container may take to end before it is killed, when nobody says otherwise.
const STOP_TIMEOUT_S: u64 = 10;

/// Everything that a run needs to begin.
pub(super) struct Prepared {
    pub(super) pod: PodSpec,
    pub(super) container: NewContainer,
    pub(super) spec: Spec,
    pub(super) about: About,
}

/// Prepares a run; a signal calls it off.
pub(super) async fn prepare(
    args: &RunArgs,
    settings: &Settings,
    timeline: &mut Timeline,
    signals: &mut Signals,
) -> Result<Step<Prepared>> {
    let name = match &args.name {
        Some(name) => PodName::new(name)?,
        None => PodName::random()?,
    };
    let artefacts = Artefacts::find(settings.artefacts.as_deref())?;
    // Before the image: nobody waits for a conversion to hear that there is no KVM.
    let (vmm, state_dir) = (artefacts.vmm(), settings.state_dir.clone());
    let host = tokio::select! {
        host = spawn_blocking(move || host_kvm(&vmm, &state_dir)) => host??,
        signal = signals.next_end() => return Ok(Step::Ended(signal)),
    };
    timeline.mark("host measured", 0);
    let image = match images::resolve(args, settings, signals).await? {
        Step::Done(image) => image,
        Step::Ended(signal) => return Ok(Step::Ended(signal)),
    };
    timeline.mark("image ready", 0);
    let options = options(args, &name)?;
    let spec = spec::container(&image.source, &image.accounts, &options, &|name| {
        env::var(name).ok()
    })?;
    let kernel = kernel(args, settings, &artefacts, host.kind)?;
    let serial = image.serial();
    for ignored in image.source.ignored() {
        report::warning(&ignored);
    }
    let about = about(args, &name, &image.source, &spec)?;
    let pod = PodSpec {
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
        streams: streams(args),
        user: String::new(),
        shared: Shared::default(),
        init: args.container.init,
    };
    Ok(Step::Done(Prepared {
        pod,
        container,
        spec,
        about,
    }))
}

fn streams(args: &RunArgs) -> Streams {
    Streams {
        stdin: args.interactive,
        stdout: true,
        stderr: !args.tty,
        terminal: args.tty.then(|| tty::window().into()),
    }
}

fn about(args: &RunArgs, name: &PodName, source: &ImageSource, spec: &Spec) -> Result<About> {
    let id = match &args.name {
        Some(_) => PodName::random()?,
        None => name.clone(),
    };
    Ok(About {
        version: About::VERSION,
        id: id.as_str().to_owned(),
        image: args.image.clone(),
        created_ns: Instant::now().0,
        detached: args.detach,
        auto_remove: args.rm || !args.detach,
        terminal: args.tty,
        stop_signal: args.stop_signal.unwrap_or_else(|| stop_signal(source)),
        stop_timeout_s: args.stop_timeout.unwrap_or(STOP_TIMEOUT_S),
        spec: serde_json::to_value(spec)?,
    })
}

/// What the image says, or TERM.
fn stop_signal(source: &ImageSource) -> u32 {
    let term = u32::try_from(Signal::TERM.as_raw()).unwrap_or(0);
    let ImageSource::Oci(config) = source else {
        return term;
    };
    let Some(name) = config
        .stop_signal
        .as_deref()
        .filter(|name| !name.is_empty())
    else {
        return term;
    };
    signal_number(name).unwrap_or_else(|| {
        report::warning(&format!(
            "the image's stop signal {name:?} is unknown: TERM"
        ));
        term
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
