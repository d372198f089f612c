//! The whole of `cargo xtask programs`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::container::Place;
use super::recipe::{self, Recipe};
use super::trial::{self, Beside, Trial};
use super::{image, report};
use crate::host;
use crate::paths::{self, Workspace};
use crate::progress::Progress;

/// Where the recipes are.
const RECIPES: &str = "tests/programs";

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
    let made = make(workspace, &cache, &options.names)?;
    if options.images {
        for program in made {
            println!("{}", program.image.display());
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
    let trials = each(workspace, &cache, &made, beside)?;
    let text = if options.json {
        report::json(&trials)?
    } else {
        report::table(&trials)
    };
    print!("{text}");
    Ok(trials.iter().all(|trial| trial.failure.is_none()))
}

/// Runs what belongs to every test; gives back how many that were.
pub(crate) fn tested(workspace: &Workspace) -> Result<u32> {
    let cache = paths::cache_dir()?.join("programs");
    let dir = workspace.root.join(RECIPES);
    let mut names = Vec::new();
    for (name, file) in recipe::files(&dir, &[])? {
        if Recipe::read(&file)?.in_test {
            names.push(name);
        }
    }
    ensure!(!names.is_empty(), "no recipe says in_test");
    let made = make(workspace, &cache, &names)?;
    let trials = each(workspace, &cache, &made, Beside::Nothing)?;
    if trials.iter().any(|trial| trial.failure.is_some()) {
        bail!("{}", report::table(&trials));
    }
    u32::try_from(trials.len()).context("too many programs")
}

/// A program that can be run.
#[derive(Debug)]
struct Made {
    name: String,
    recipe: Recipe,
    image: PathBuf,
}

fn make(workspace: &Workspace, cache: &Path, names: &[String]) -> Result<Vec<Made>> {
    let dir = workspace.root.join(RECIPES);
    let mut made = Vec::new();
    for (name, file) in recipe::files(&dir, names)? {
        let recipe = Recipe::read(&file)?;
        let image = image::build(cache, &dir, &name, &recipe)
            .with_context(|| format!("cannot make the image of {name}"))?;
        made.push(Made {
            name,
            recipe,
            image,
        });
    }
    Ok(made)
}

fn each(workspace: &Workspace, cache: &Path, made: &[Made], beside: Beside) -> Result<Vec<Trial>> {
    let logs = workspace.target.join("programs");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let place = Place::new(workspace, cache)?;
    let mut trials = Vec::new();
    for Made {
        name,
        recipe,
        image,
    } in made
    {
        let progress = Progress::begin(name);
        let trial = trial::run(&place, name, (recipe, image), &logs, beside);
        progress.end(trial.failure.as_deref().unwrap_or("good"));
        trials.push(trial);
    }
    Ok(trials)
}
