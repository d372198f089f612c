//! Images: what `husk run` finds for its argument, and `husk pull`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail};
use husk_sandbox::{
    images::{Image, ImageError, Limits, PullPolicy, Store},
    settings::Settings,
};
use rustix::process::geteuid;
use tokio::task::spawn_blocking;

use crate::{
    args::{PullArgs, RunArgs},
    progress::ImageProgress,
    signals::{self, Signals, Step},
};

/// The image of a run; a signal calls it off, and it clears up before this returns.
pub(crate) async fn resolve(
    args: &RunArgs,
    settings: &Settings,
    signals: &mut Signals,
) -> Result<Step<Image>> {
    let reference = args.image.clone();
    make(settings, args.pull, signals, move |store, observer| {
        store.resolve(&reference, observer)
    })
    .await
}

/// `husk pull`: prints the image's name and digest.
pub(crate) async fn pull(args: &PullArgs, settings: &Settings) -> Result<u8> {
    if !geteuid().is_root() {
        bail!("husk pull needs root (user id is {}): use sudo", geteuid());
    }
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let name = args.image.clone();
    let pulled = make(
        settings,
        PullPolicy::Always,
        &mut signals,
        move |store, observer| store.pull(&name, observer),
    );
    match pulled.await? {
        Step::Ended(signal) => Ok(signals::exit_code(signal)),
        Step::Done(image) => {
            let origin = image.origin.context("a pulled image has a name")?;
            println!("{}", origin.reference());
            Ok(0)
        }
    }
}

async fn make(
    settings: &Settings,
    policy: PullPolicy,
    signals: &mut Signals,
    how: impl FnOnce(&Store, &mut ImageProgress) -> Result<Image, ImageError> + Send + 'static,
) -> Result<Step<Image>> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let mut observer = ImageProgress::new(Arc::clone(&cancelled));
    let (dir, registries) = (settings.image_dir.clone(), settings.registry.clone());
    let mut making = spawn_blocking(move || {
        let store = Store::open(&dir, Limits::default())?;
        how(&store.with_registries(registries, policy), &mut observer)
    });
    tokio::select! {
        image = &mut making => Ok(Step::Done(image??)),
        signal = signals.next_end() => {
            cancelled.store(true, Ordering::Relaxed);
            // Its error says that it was called off.
            drop(making.await);
            Ok(Step::Ended(signal))
        }
    }
}
