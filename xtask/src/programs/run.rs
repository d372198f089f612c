//! The whole of `cargo xtask programs`.

use std::fs;

use anyhow::{Context, Result};
use clap::Args;

use super::container::Place;
use super::recipe::{self, Recipe};
use super::trial::{self, Beside};
use super::{image, report};
use crate::host;
use crate::paths::{self, Workspace};
use crate::progress::Progress;

/// What is done with programs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Which; all of them otherwise
    names: Vec<String>,
    /// Prints JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Runs each under runc on this host too: same files, same process, same questions
    #[arg(long)]
    beside_runc: bool,
    /// Only makes the images and says where they are
    #[arg(long)]
    images: bool,
}

/// Runs the named programs, or all, on request under runc too; true when each did what it should.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let cache = paths::cache_dir()?.join("programs");
    let recipes = workspace.root.join("tests/programs");
    let mut made = Vec::new();
    for (name, file) in recipe::files(&recipes, &options.names)? {
        let recipe = Recipe::read(&file)?;
        let image = image::build(&cache, &recipes, &name, &recipe)
            .with_context(|| format!("cannot make the image of {name}"))?;
        made.push((name, recipe, image));
    }
    if options.images {
        for (_, _, image) in made {
            println!("{}", image.display());
        }
        return Ok(true);
    }
    host::require_kvm()?;
    host::ensure_packages(host::RUN)?;
    let beside = if options.beside_runc {
        host::ensure_packages(host::PEER)?;
        Beside::Runc
    } else {
        Beside::Nothing
    };
    let logs = workspace.target.join("programs");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let place = Place::new(workspace, &cache)?;
    let mut trials = Vec::new();
    for (name, recipe, image) in &made {
        let progress = Progress::begin(name);
        let trial = trial::run(&place, name, (recipe, image), &logs, beside);
        progress.end(trial.failure.as_deref().unwrap_or("good"));
        trials.push(trial);
    }
    let good = trials.iter().all(|trial| trial.failure.is_none());
    let text = if options.json {
        report::json(&trials)?
    } else {
        report::table(&trials)
    };
    print!("{text}");
    Ok(good)
}
