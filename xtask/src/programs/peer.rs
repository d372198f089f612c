//! The same program under runc on this host: same files, user, environment, command, questions and stop signal.

use std::fs::{self, File};
use std::io::pipe;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use tar::Archive;

use super::lines::Lines;
use super::recipe::Recipe;
use crate::process::output;

/// How it went.
#[derive(Debug, Serialize)]
pub(super) struct Peer {
    /// From `runc run` to the log line, in milliseconds.
    pub(super) ready_ms: u128,
    /// From the signal to the end, in milliseconds.
    pub(super) stop_ms: u128,
    /// As the stop signal made it.
    pub(super) exit: Option<i32>,
}

/// Runs a program from its image, as the process that `spec` describes.
pub(super) fn run(dir: &Path, recipe: &Recipe, image: &Path, spec: &Value) -> Result<Peer> {
    let bundle = dir.join("runc");
    let done = Running::prepare(&bundle, image, spec)
        .and_then(Running::start)
        .and_then(|running| running.measure(recipe));
    fs::remove_dir_all(&bundle).with_context(|| format!("cannot remove {}", bundle.display()))?;
    done.context("under runc")
}

/// A container of runc's; killed and removed when dropped.
#[derive(Debug)]
struct Running {
    bundle: PathBuf,
    name: String,
    child: Option<(Child, Lines, Instant)>,
}

impl Running {
    fn prepare(bundle: &Path, image: &Path, spec: &Value) -> Result<Self> {
        let root = bundle.join("rootfs");
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        unpack(image, &root)?;
        output(Command::new("runc").arg("spec").current_dir(bundle))?;
        let path = bundle.join("config.json");
        let mut own: Value = serde_json::from_slice(&fs::read(&path)?)?;
        own["process"] = spec["process"].clone();
        own["process"]["terminal"] = json!(false);
        own["root"]["readonly"] = json!(false);
        fs::write(&path, serde_json::to_vec(&own)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            bundle: bundle.to_owned(),
            name: format!("husk-programs-{}", process::id()),
            child: None,
        })
    }

    fn start(mut self) -> Result<Self> {
        let (reader, writer) = pipe().context("cannot make a pipe")?;
        let errors = writer.try_clone().context("cannot make a pipe")?;
        let begun = Instant::now();
        let child = Command::new("runc")
            .args(["run", &self.name])
            .current_dir(&self.bundle)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(errors)
            .spawn()
            .context("cannot run runc")?;
        self.child = Some((child, Lines::of(reader), begun));
        Ok(self)
    }

    fn measure(mut self, recipe: &Recipe) -> Result<Peer> {
        let (mut child, lines, begun) = self.child.take().context("was not started")?;
        // What this host does for it is not counted: the number of looks is the limit.
        lines.wait_for(&recipe.ready, || Ok(0))?;
        let ready_ms = begun.elapsed().as_millis();
        for ask in &recipe.ask {
            let mut exec = Command::new("runc");
            let answer = output(exec.args(["exec", &self.name]).args(&ask.run))?;
            if answer.trim() != ask.answer {
                bail!("{}: answered {answer:?}", ask.run.join(" "));
            }
        }
        let begun = Instant::now();
        output(Command::new("runc").args(["kill", &self.name, recipe.image.stop_signal()]))?;
        let status = child.wait().context("cannot wait for runc")?;
        Ok(Peer {
            ready_ms,
            stop_ms: begun.elapsed().as_millis(),
            exit: status.code(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is not there any more.
        let mut delete = Command::new("runc");
        delete.args(["delete", "--force", &self.name]);
        let quiet = delete.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().map(drop).unwrap_or_default();
        if let Some((child, ..)) = &mut self.child {
            child.wait().map(drop).unwrap_or_default();
        }
    }
}

/// Unpacks the only layer of an image that this command made: the largest of its blobs.
fn unpack(image: &Path, root: &Path) -> Result<()> {
    let open = || File::open(image).with_context(|| format!("cannot read {}", image.display()));
    let mut largest = (0, None);
    for (at, entry) in Archive::new(open()?).entries()?.enumerate() {
        largest = largest.max((entry?.size(), Some(at)));
    }
    let at = largest.1.context("the image is empty")?;
    let mut archive = Archive::new(open()?);
    let layer = archive.entries()?.nth(at).context("the image changed")??;
    let mut tar = Command::new("tar")
        .args(["--extract", "--same-owner", "--numeric-owner"])
        .args(["--preserve-permissions", "--directory"])
        .arg(root)
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot run tar")?;
    let mut input = tar.stdin.take().context("tar has no input")?;
    let mut layer = layer;
    std::io::copy(&mut layer, &mut input).context("cannot unpack the layer")?;
    drop(input);
    let status = tar.wait().context("cannot wait for tar")?;
    if !status.success() {
        bail!("tar failed: {status}");
    }
    Ok(())
}
