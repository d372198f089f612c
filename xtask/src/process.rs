//! Running other programs: quietly, aloud, or with progress and a log.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, pipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::paths::Workspace;
use crate::progress::Progress;

/// Lines of a failed step's log that are shown.
const TAIL: usize = 80;

/// Runs with the caller's stdin, stdout and stderr.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = name_of(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run {name}"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}

/// Runs and gives back stdout as text.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = name_of(command);
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        bail!("{name} failed: {}: {}", out.status, stderr.trim());
    }
    String::from_utf8(out.stdout).with_context(|| format!("{name} wrote what is no utf-8"))
}

/// Runs a long step of the build or the tests: its output goes to `target/xtask/NAME.log`, progress to the caller's stderr.
pub(crate) fn run_step(
    workspace: &Workspace,
    name: &str,
    command: &mut Command,
    mut look: impl FnMut(&str),
) -> Result<()> {
    let dir = workspace.target.join("xtask");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let log = dir.join(format!("{}.log", name.replace(' ', "-")));
    fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
    let mut progress = Progress::begin(name);
    let result = run_logged(command, &log, &mut progress, |line| {
        look(line);
        line.trim().to_owned()
    });
    progress.clear();
    result
}

/// Runs with stdout and stderr in a log file; each line is also given to `describe`, which makes the progress text of it.
/// An error shows the end of the log.
pub(crate) fn run_logged(
    command: &mut Command,
    log: &Path,
    progress: &mut Progress,
    mut describe: impl FnMut(&str) -> String,
) -> Result<()> {
    let name = name_of(command);
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let (reader, writer) = pipe().context("cannot make a pipe")?;
    let stderr = writer.try_clone().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer).stderr(stderr);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    // The command keeps its ends of the pipe open until it is given others.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (sender, lines) = mpsc::channel();
    let pump = thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n') {
            let Ok(line) = line else { break };
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                break;
            }
        }
    });
    let mut tail = VecDeque::with_capacity(TAIL);
    let mut text = String::new();
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                writeln!(file, "{line}")
                    .with_context(|| format!("cannot write {}", log.display()))?;
                text = describe(&line);
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        progress.tick(&text);
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for {name}"))?;
    if pump.join().is_err() {
        bail!("reading the output of {name} failed");
    }
    if !status.success() {
        let tail: Vec<String> = tail.into();
        bail!(
            "{name} failed: {status}; the end of {}:\n{}",
            log.display(),
            tail.join("\n")
        );
    }
    Ok(())
}

/// The program and its first words, for messages.
fn name_of(command: &Command) -> String {
    let mut name = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().take(3) {
        name.push(' ');
        name.push_str(&argument.to_string_lossy());
    }
    name
}
