//! A `husk` with a configuration and directories of its own, so that what it leaves behind can be counted.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{artefacts, rootfs};

/// Directories, settings and an image for `husk`.
#[derive(Debug)]
pub struct Bench {
    dir: TempDir,
}

impl Bench {
    /// Makes the directories, the settings file and the root file system.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn new() -> Result<Self> {
        let bench = Self {
            dir: TempDir::with_prefix("husk-test-")?,
        };
        rootfs::make(&bench.rootfs())?;
        let root = bench.dir.path().display();
        let settings = format!(
            "state_dir = \"{root}/state\"\nimage_dir = \"{root}/images\"\nrun_dir = \"{root}/run\"\n"
        );
        fs::write(bench.settings(), settings)?;
        Ok(bench)
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The root file system, an image that `husk run` takes.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.dir.path().join("rootfs")
    }

    /// The settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    /// `husk` with these settings; the caller adds the words.
    ///
    /// # Errors
    /// The program is not built.
    pub fn husk(&self) -> Result<Command> {
        let mut husk = Command::new(artefacts::file("husk")?);
        husk.env("HUSK_CONFIG", self.settings());
        husk.env("HUSK_ARTEFACTS", artefacts::dir()?);
        husk.stdin(Stdio::null());
        Ok(husk)
    }

    /// Runs `husk` to its end.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, words: &[&str]) -> Result<Output> {
        self.husk()?.args(words).output().context("husk")
    }

    /// Runs `husk` to its end with `input` on its standard input.
    ///
    /// # Errors
    /// It cannot be started, or its input cannot be written.
    pub fn run_with_input(&self, words: &[&str], input: &[u8]) -> Result<Output> {
        let mut child = self.start(words)?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output()?;
        writer.join().ok().context("writer")??;
        Ok(output)
    }

    /// Starts `husk` with pipes for its three streams.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, words: &[&str]) -> Result<Child> {
        let mut husk = self.husk()?;
        husk.args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        husk.spawn().context("husk")
    }

    /// What a finished `husk` left: entries of the run directory, scratch files, VMM processes.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn leftovers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for dir in ["run", "state/pods", "state/scratch"] {
            let Ok(entries) = fs::read_dir(self.dir.path().join(dir)) else {
                continue;
            };
            for entry in entries {
                let name = entry?.file_name().to_string_lossy().into_owned();
                // Kept on purpose: what the host's KVM is, and the lock of the directory.
                if !name.starts_with("host-kvm") && !name.ends_with(".lock") && name != "kvm.json" {
                    found.push(format!("{dir}/{name}"));
                }
            }
        }
        Ok(found)
    }
}

/// Standard output and error as text, for messages of failed checks.
#[must_use]
pub fn text(output: &Output) -> String {
    format!(
        "{}\nstdout: {}\nstderr: {}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
