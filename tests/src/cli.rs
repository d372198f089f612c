//! A `husk` with a configuration and directories of its own, so that what it leaves behind can be counted.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{artefacts, left, rootfs};

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

    /// `husk` in a mount namespace of its own, after the lines of a shell script, and with others after it; the exit
    /// code is husk's.
    ///
    /// # Errors
    /// The program is not built.
    pub fn husk_between(&self, before: &str, after: &str) -> Result<Command> {
        let husk = self.husk()?;
        let script =
            format!("set -e\n{before}\n\"$0\" \"$@\" || code=$?\n{after}\nexit ${{code:-0}}");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        command.arg(husk.get_program()).stdin(Stdio::null());
        for (name, value) in husk.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Ok(command)
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

    /// What a finished `husk` left of a pod or of its work: files, processes, mounts, loop devices. Finished images,
    /// templates and the measure of the host are kept on purpose.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn leftovers(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (dir, kept) in [
            ("run", ""),
            ("state/scratch", ""),
            ("state/templates", "ext4-"),
            ("images/staging", ""),
            ("images/locks", ""),
        ] {
            let Ok(entries) = fs::read_dir(self.dir.path().join(dir)) else {
                continue;
            };
            for entry in entries {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if kept.is_empty() || !name.starts_with(kept) {
                    found.push(format!("{dir}/{name}"));
                }
            }
        }
        found.extend(left::processes(self.dir.path())?);
        found.extend(left::mounts(self.dir.path())?);
        found.extend(left::loop_devices(self.dir.path())?);
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
