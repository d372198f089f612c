//! One program from start to nothing left.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Serialize;

use super::container::Place;
use super::peer::{self, Peer};
use super::recipe::Recipe;

/// What a program did.
#[derive(Debug, Serialize)]
pub(super) struct Trial {
    /// Its name.
    pub(super) program: String,
    /// What went wrong.
    pub(super) failure: Option<String>,
    /// What was measured, when nothing did.
    pub(super) figures: Option<Measured>,
}

/// Figures of one that did what it should.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    /// Guest-kernel instructions from boot to the log line that says it is ready.
    pub(super) ready_insns: u64,
    /// The same to the last answer.
    pub(super) answered_insns: u64,
    /// From `husk run` to the log line, in milliseconds.
    pub(super) ready_ms: u128,
    /// From `husk stop` to the end of the machine, in milliseconds.
    pub(super) stop_ms: u128,
    /// Memory of VMM and guest after the last answer.
    pub(super) memory_bytes: Option<u64>,
    /// As its stop signal made it.
    pub(super) exit: i32,
    /// The same under runc, where that was asked for.
    pub(super) runc: Option<Peer>,
}

/// Whether runc is asked too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Only Husk.
    Nothing,
    /// Husk, then runc.
    Runc,
}

/// Runs one program from its image; its log comes into `logs`.
pub(super) fn run(
    place: &Place,
    name: &str,
    (recipe, image): (&Recipe, &Path),
    logs: &Path,
    beside: Beside,
) -> Trial {
    let log = logs.join(format!("{name}.log"));
    let result = measure(place, name, (recipe, image), log, beside);
    let (failure, figures) = match result {
        Ok(figures) => (None, Some(figures)),
        Err(error) => (Some(format!("{error:#}")), None),
    };
    Trial {
        program: name.to_owned(),
        failure,
        figures,
    }
}

fn measure(
    place: &Place,
    name: &str,
    (recipe, image): (&Recipe, &Path),
    log: PathBuf,
    beside: Beside,
) -> Result<Measured> {
    let begun = Instant::now();
    let container = place.start(name, recipe.memory.as_deref(), image, log)?;
    container.wait_for(&recipe.ready)?;
    let ready_ms = begun.elapsed().as_millis();
    let ready = container.figures()?;
    for ask in &recipe.ask {
        let answer = container.ask(&ask.run)?;
        if answer != ask.answer {
            bail!(
                "{}: answered {answer:?} instead of {:?}; {}",
                ask.run.join(" "),
                ask.answer,
                container.tail()?
            );
        }
    }
    let answered = container.figures()?;
    let spec = container.spec()?;
    let (exit, stopped) = container.stop()?;
    let tail = container.tail()?;
    if exit != recipe.exit {
        bail!("ended with {exit} instead of {}; {tail}", recipe.exit);
    }
    container.remove()?;
    let left = place.leftovers()?;
    if !left.is_empty() {
        bail!("left behind: {}", left.join(", "));
    }
    let runc = match beside {
        Beside::Nothing => None,
        Beside::Runc => Some(peer::run(place.dir(), recipe, image, &spec)?),
    };
    if let Some(peer) = &runc
        && peer.exit != Some(exit)
    {
        bail!("ended with {exit}, under runc with {:?}", peer.exit);
    }
    Ok(Measured {
        ready_insns: ready.kernel_instructions,
        answered_insns: answered.kernel_instructions,
        ready_ms,
        stop_ms: stopped.as_millis(),
        memory_bytes: answered.vmm_memory_bytes,
        exit,
        runc,
    })
}
