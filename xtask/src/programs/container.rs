//! A container of `husk` in the background, and what is done with it.

use std::fs::{self, File};
use std::io::{Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::lines::Lines;
use crate::paths::Workspace;
use crate::process::output;

/// What `husk stop` waits before it kills, in seconds; on the slowest hosts, busy ones, a database needs minutes.
const STOP: &str = "3600";
/// Lines of a log that an error shows.
const TAIL: usize = 30;

/// `husk` with directories of its own, so that what it leaves behind can be counted.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    artefacts: PathBuf,
}

/// One that runs, or ran; removed when dropped.
#[derive(Debug)]
pub(super) struct Container<'a> {
    place: &'a Place,
    name: String,
    log: PathBuf,
}

/// What it has used so far.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Figures {
    /// Instructions of the guest's kernel since its boot.
    pub(super) kernel_instructions: u64,
    /// Memory of the VMM and its guest.
    pub(super) vmm_memory_bytes: Option<u64>,
}

impl Place {
    /// Makes the directories; images stay in the cache.
    pub(super) fn new(workspace: &Workspace, cache: &Path) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("husk-programs-{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let place = Self {
            dir,
            artefacts: workspace.artefacts(),
        };
        let settings = format!(
            "run_dir = {:?}\nstate_dir = {:?}\nimage_dir = {:?}\n",
            place.run_dir(),
            cache.join("state"),
            cache.join("images")
        );
        let file = place.settings();
        fs::write(&file, settings).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(place)
    }

    /// Where files of a moment can be.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn run_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    fn settings(&self) -> PathBuf {
        self.dir.join("settings.toml")
    }

    fn husk(&self, words: &[&str]) -> Command {
        let mut husk = Command::new(self.artefacts.join("husk"));
        husk.arg("--config")
            .arg(self.settings())
            .args(words)
            .env("HUSK_ARTEFACTS", &self.artefacts)
            .stdin(Stdio::null());
        husk
    }

    /// Starts a container; `log` gets what it writes.
    pub(super) fn start(
        &self,
        name: &str,
        memory: Option<&str>,
        image: &Path,
        log: PathBuf,
    ) -> Result<Container<'_>> {
        let mut husk = self.husk(&["run", "-d", "--name", name]);
        if let Some(memory) = memory {
            husk.args(["--memory", memory]);
        }
        let container = Container {
            place: self,
            name: name.to_owned(),
            log,
        };
        output(husk.arg(image))?;
        Ok(container)
    }

    /// What is left of containers that were removed: files of theirs, and processes that know of this place.
    pub(super) fn leftovers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        if let Ok(entries) = fs::read_dir(self.run_dir()) {
            for entry in entries {
                found.push(entry?.path().display().to_string());
            }
        }
        for entry in fs::read_dir("/proc").context("cannot list /proc")? {
            let proc = entry?.path();
            let text = fs::read(proc.join("cmdline")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let files = fs::read_dir(proc.join("fd")).into_iter().flatten();
            let open = files
                .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
                .any(|target| target.starts_with(&self.dir));
            let own = self.dir.display().to_string();
            if open || text.contains(&own) {
                found.push(format!("{}: {}", proc.display(), text.replace('\0', " ")));
            }
        }
        Ok(found)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("cannot remove {}: {error}", self.dir.display());
        }
    }
}

impl Container<'_> {
    /// Waits for a line in its log; an error shows the log's end.
    pub(super) fn wait_for(&self, ready: &str) -> Result<()> {
        let (reader, writer) = pipe().context("cannot make a pipe")?;
        let errors = writer.try_clone().context("cannot make a pipe")?;
        let mut follow = self.place.husk(&["logs", "-f", &self.name]);
        let mut follow = follow
            .stdout(writer)
            .stderr(errors)
            .spawn()
            .context("cannot run husk logs")?;
        let found = Lines::of(reader).wait_for(ready, || Ok(self.figures()?.kernel_instructions));
        // The container may go on for ever, and its log with it.
        follow.kill().context("cannot end husk logs")?;
        follow.wait().context("cannot wait for husk logs")?;
        match found {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.tail()?)),
        }
    }

    /// Runs a command in it; what it says, trimmed.
    pub(super) fn ask(&self, command: &[String]) -> Result<String> {
        let mut husk = self.place.husk(&["exec", &self.name]);
        match output(husk.args(command)) {
            Ok(answer) => Ok(answer.trim().to_owned()),
            Err(error) => Err(error.context(self.tail()?)),
        }
    }

    /// What it has used.
    pub(super) fn figures(&self) -> Result<Figures> {
        let json = output(
            &mut self
                .place
                .husk(&["stats", "--no-stream", "--json", &self.name]),
        )?;
        let rows: Vec<Figures> =
            serde_json::from_str(&json).with_context(|| format!("husk stats: {}", json.trim()))?;
        let row = rows.first();
        row.copied()
            .with_context(|| format!("husk stats knows no {}", self.name))
    }

    /// The OCI specification that it was made by.
    pub(super) fn spec(&self) -> Result<Value> {
        let json = output(&mut self.place.husk(&["inspect", &self.name]))?;
        let mut known: Value = serde_json::from_str(&json).context("husk inspect")?;
        Ok(known[0]["spec"].take())
    }

    /// Stops it; its exit code and how long that took.
    pub(super) fn stop(&self) -> Result<(i32, Duration)> {
        let begun = Instant::now();
        output(&mut self.place.husk(&["stop", "--timeout", STOP, &self.name]))?;
        let took = begun.elapsed();
        let code = output(&mut self.place.husk(&["wait", &self.name]))?;
        let code = code.trim();
        let number = code
            .parse()
            .with_context(|| format!("husk wait says {code:?}"))?;
        Ok((number, took))
    }

    /// Keeps its log, and the end of it for a message.
    pub(super) fn tail(&self) -> Result<String> {
        let said = self.log()?;
        let text = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        let end = lines.get(from..).unwrap_or_default().join("\n");
        Ok(format!("the end of {}:\n{end}", self.log.display()))
    }

    /// Keeps its log.
    pub(super) fn log(&self) -> Result<Vec<u8>> {
        let Output { stdout, stderr, .. } = self
            .place
            .husk(&["logs", &self.name])
            .output()
            .context("cannot run husk logs")?;
        let said = [stdout, stderr].concat();
        File::create(&self.log)
            .and_then(|mut file| file.write_all(&said))
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        Ok(said)
    }

    /// Removes it; it must have ended.
    pub(super) fn remove(self) -> Result<()> {
        let removed = output(&mut self.place.husk(&["rm", &self.name]));
        removed.map(drop)
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // One that was removed is not there any more.
        let mut husk = self.place.husk(&["rm", "--force", &self.name]);
        let quiet = husk.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().map(drop).unwrap_or_default();
    }
}
