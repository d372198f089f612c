//! One run of the real `husk run`, with its timeline.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::paths::Workspace;

/// What `husk run --timeline=json` writes.
#[derive(Debug, Deserialize)]
pub(crate) struct Timeline {
    stages: Vec<Mark>,
    /// None when the VMM ended without its report.
    vmm: Option<Vmm>,
}

/// The VMM's own figures.
#[derive(Debug, Deserialize)]
struct Vmm {
    setup_cpu_us: u64,
    private_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Mark {
    stage: String,
    instructions: u64,
}

/// A finished run.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its timeline.
    pub(crate) timeline: Timeline,
    /// From spawn to exit.
    pub(crate) wall: Duration,
    /// Bytes that came on stdout.
    pub(crate) stdout: u64,
}

impl Timeline {
    fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).with_context(|| format!("no timeline: {}", text.trim()))
    }

    /// Guest-kernel instructions when a stage was reached.
    fn instructions(&self, stage: &str) -> Result<u64> {
        let mark = self.stages.iter().find(|mark| mark.stage == stage);
        match mark {
            Some(mark) => Ok(mark.instructions),
            None => {
                let known: Vec<&str> = self.stages.iter().map(|mark| mark.stage.as_str()).collect();
                bail!(
                    "the timeline has no stage {stage:?}, it has {}",
                    known.join(", ")
                )
            }
        }
    }

    /// Instructions from one stage to a later one.
    pub(crate) fn between(&self, from: &str, to: &str) -> Result<f64> {
        let (from_at, to_at) = (self.instructions(from)?, self.instructions(to)?);
        let count = to_at
            .checked_sub(from_at)
            .with_context(|| format!("stage {to:?} comes before {from:?}"))?;
        Ok(float(count))
    }
}

impl Finished {
    /// Guest-kernel instructions of the container, from before it is made until its end is known.
    pub(crate) fn container_insns(&self) -> Result<f64> {
        self.timeline.between("agent ready", "exit")
    }

    /// Private memory of the VMM apart from guest memory, where the VMM reported.
    pub(crate) fn vmm_private_kib(&self) -> Option<f64> {
        let vmm = self.timeline.vmm.as_ref()?;
        Some(float(vmm.private_bytes) / 1024.0)
    }

    /// CPU time of the VMM before the first guest instruction, where the VMM reported.
    pub(crate) fn vmm_cpu_ms(&self) -> Option<f64> {
        Some(float(self.timeline.vmm.as_ref()?.setup_cpu_us) / 1e3)
    }
}

/// Exact up to 2^53, far above any figure here.
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Runs a command in the busybox image, in the smallest machine, with these settings (a settings file's lines).
pub(crate) fn run(workspace: &Workspace, settings: &str, command: &[&str]) -> Result<Finished> {
    let dir = workspace.target.join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let file = dir.join("timeline.json");
    let config = dir.join("settings.toml");
    fs::write(&config, settings).with_context(|| format!("cannot write {}", config.display()))?;
    let begun = Instant::now();
    let mut child = Command::new(workspace.artefacts().join("husk"))
        .arg("--config")
        .arg(&config)
        .args(["run", "--rm"])
        .arg(format!("--timeline={}", file.display()))
        .arg(image(workspace))
        .arg("--")
        .args(command)
        .env("HUSK_ARTEFACTS", workspace.artefacts())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run husk: cargo xtask build")?;
    // stderr is a few kilobytes: it fits its pipe while stdout is drained.
    let mut stdout = child.stdout.take().context("husk has no stdout")?;
    let bytes = io::copy(&mut stdout, &mut io::sink()).context("cannot read from husk")?;
    let out = child.wait_with_output().context("cannot wait for husk")?;
    let wall = begun.elapsed();
    let stderr = String::from_utf8_lossy(&out.stderr);
    if !out.status.success() {
        bail!(
            "husk run {} failed: {}: {}",
            command.join(" "),
            out.status,
            stderr.trim()
        );
    }
    let text = fs::read_to_string(&file)
        .with_context(|| format!("husk run wrote no {}", file.display()))?;
    let timeline = Timeline::read(&text)?;
    Ok(Finished {
        timeline,
        wall,
        stdout: bytes,
    })
}

/// The image of the benches.
pub(crate) fn image(workspace: &Workspace) -> PathBuf {
    workspace.artefacts().join("busybox.tar")
}

#[cfg(test)]
mod tests {
    use super::Timeline;

    const TEXT: &str = "{\"stages\":[{\"stage\":\"a\",\"at_us\":1,\"instructions\":5},\
                          {\"stage\":\"b\",\"at_us\":2,\"instructions\":9}],\
                          \"vmm\":{\"setup_cpu_us\":7000,\"private_bytes\":4096}}\n";

    #[test]
    fn instructions_between_stages_are_counted() {
        let timeline = Timeline::read(TEXT).unwrap();
        assert_eq!(timeline.between("a", "b").unwrap(), 4.0);
        assert!(timeline.between("b", "a").is_err());
    }

    #[test]
    fn stage_that_is_missing_is_named_with_those_that_are_not() {
        let timeline = Timeline::read(TEXT).unwrap();
        let error = timeline.instructions("c").unwrap_err().to_string();
        assert!(error.contains("\"c\"") && error.contains("a, b"), "{error}");
    }

    #[test]
    fn timeline_of_a_vmm_that_did_not_report_still_counts() {
        let text = TEXT.replace("{\"setup_cpu_us\":7000,\"private_bytes\":4096}", "null");
        let timeline = Timeline::read(&text).unwrap();
        assert!(timeline.vmm.is_none());
        assert_eq!(timeline.between("a", "b").unwrap(), 4.0);
    }

    #[test]
    fn text_that_is_no_timeline_is_refused() {
        assert!(Timeline::read("husk: no\n").is_err());
        assert!(Timeline::read("{}").is_err());
    }
}
