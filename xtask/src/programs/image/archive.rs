//! A program's image, made once for all that went into it.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, Result};

use super::packages::Closure;
use super::{golang, tree};
use crate::image;
use crate::key::Key;
use crate::process::output;
use crate::programs::recipe::Recipe;
use crate::progress::Progress;

/// Changes when images are made in a way that their inputs do not show.
const RECIPE: &str = "1";

/// The image of a recipe that lies in `dir`, from the cache or made now.
pub(in crate::programs) fn build(
    cache: &Path,
    dir: &Path,
    name: &str,
    recipe: &Recipe,
) -> Result<PathBuf> {
    let source = recipe.go.as_ref().map(|source| dir.join(source));
    let packages = match source {
        Some(_) => golang::compiler(cache)?,
        None => Closure::resolve(cache, &recipe.packages)?,
    };
    let mut key = Key::new(RECIPE);
    key.add("recipe", &serde_json::to_vec(recipe)?);
    key.add("packages", packages.identity().as_bytes());
    if let Some(source) = &source {
        let text = fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
        key.add("go", &text);
    }
    let made = cache.join(format!("{name}-{}.tar", key.text()));
    if made.is_file() {
        return Ok(made);
    }
    let work = cache.join(format!("work-{name}-{}", process::id()));
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let root = work.join("root");
    let done = fill(cache, &work, &root, &packages, (name, source.as_deref()))
        .and_then(|()| tree::finish(&root, recipe))
        .and_then(|()| pack(&work, &root, name, recipe, &made));
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    done?;
    Ok(made)
}

/// Puts the programs into the root: packages, or the one that is compiled.
fn fill(
    cache: &Path,
    work: &Path,
    root: &Path,
    packages: &Closure,
    (name, source): (&str, Option<&Path>),
) -> Result<()> {
    let Some(source) = source else {
        let files = packages.fetch(cache)?;
        tree::begin(root)?;
        return tree::unpack(root, &files);
    };
    // Nothing else is in the image: what is static needs nothing.
    fs::create_dir_all(root.join("etc"))
        .with_context(|| format!("cannot make {}", root.display()))?;
    golang::compile(cache, packages, work, source, &root.join(name))
}

fn pack(work: &Path, root: &Path, name: &str, recipe: &Recipe, made: &Path) -> Result<()> {
    let progress = Progress::begin("image");
    let layer = work.join("layer.tar");
    output(
        Command::new("tar")
            .args(["--create", "--sort=name", "--numeric-owner", "--mtime=@0"])
            .args(["--format=pax", "--pax-option=delete=atime,delete=ctime"])
            .arg("--file")
            .arg(&layer)
            .arg("--directory")
            .arg(root)
            .arg("."),
    )?;
    let mut layer =
        File::open(&layer).with_context(|| format!("cannot read {}", layer.display()))?;
    let partial = work.join("image.tar");
    let out =
        File::create(&partial).with_context(|| format!("cannot write {}", partial.display()))?;
    let reference = format!("localhost/husk-{name}:latest");
    image::write(
        BufWriter::new(out),
        &reference,
        &recipe.image.document(),
        &mut layer,
    )?;
    fs::rename(&partial, made).with_context(|| format!("cannot write {}", made.display()))?;
    progress.end(&format!("{reference} made"));
    Ok(())
}
