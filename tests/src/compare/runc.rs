//! A case under runc, on this host.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Act, Case, Seen};
use crate::pty;

/// Where bundles are made.
#[derive(Debug)]
pub struct Runc {
    /// A root file system that nobody changes.
    rootfs: PathBuf,
    dir: PathBuf,
}

impl Runc {
    /// For bundles with copies of `rootfs` in `dir`.
    #[must_use]
    pub fn new(rootfs: PathBuf, dir: PathBuf) -> Self {
        Self { rootfs, dir }
    }

    /// Runs a case and removes it.
    ///
    /// # Errors
    /// runc is not installed, or the bundle cannot be made.
    pub fn run(&self, case: &Case) -> Result<Seen> {
        let bundle = self.dir.join(case.name);
        fs::create_dir_all(&bundle)?;
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&self.rootfs)
            .arg(bundle.join("rootfs"))
            .status()?;
        ensure!(copied.success(), "cannot copy {}", self.rootfs.display());
        let mut spec = case.spec();
        let name = format!("husk-compare-{}-{}", std::process::id(), case.name);
        spec["linux"]["cgroupsPath"] = json!(format!("/{name}"));
        fs::write(bundle.join("config.json"), serde_json::to_vec(&spec)?)?;
        let mut runc = self.command(&bundle);
        runc.arg("run").arg("--bundle").arg(&bundle).arg(&name);
        let seen = if case.has_terminal() {
            in_terminal(&mut runc, &spec)
        } else {
            self.attend(&mut runc, case, &name, &bundle)
        };
        let seen = match (seen, refusal(&bundle)?) {
            (Ok(_), Some(why)) => Ok(Seen::failed(&why)),
            (seen, _) => seen,
        };
        fs::remove_dir_all(&bundle).with_context(|| format!("{} stays", bundle.display()))?;
        seen
    }

    fn command(&self, bundle: &Path) -> Command {
        let mut runc = Command::new("runc");
        runc.arg("--root")
            .arg(self.dir.join("state"))
            .arg("--log")
            .arg(bundle.join("log"))
            .args(["--log-format", "json"])
            // What a caller may have set must not reach a container.
            .env_remove("NOTIFY_SOCKET");
        runc
    }

    /// Plays the case's part.
    fn attend(&self, runc: &mut Command, case: &Case, name: &str, bundle: &Path) -> Result<Seen> {
        let mut child = runc
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run runc")?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut stderr = child.stderr.take().context("no standard error")?;
        let errors = thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).map(|_| bytes)
        });
        let mut bytes = Vec::new();
        match case.act {
            Act::Leave => drop(stdin),
            Act::Feed(text) => {
                stdin.write_all(text.as_bytes())?;
                drop(stdin);
            }
            Act::Signal(signal) => {
                stdout.read_until(b'\n', &mut bytes)?;
                let sent = self
                    .command(bundle)
                    .args(["kill", name, &signal.to_string()])
                    .status()?;
                ensure!(
                    sent.success(),
                    "{}: signal {signal} was not sent",
                    case.name
                );
                drop(stdin);
            }
        }
        stdout.read_to_end(&mut bytes)?;
        let code = code(&mut child)?;
        let Ok(errors) = errors.join() else {
            bail!("reading standard error failed");
        };
        Ok(Seen::ended(code, &bytes, &errors?))
    }
}

/// Runs it in a terminal of the size that the specification names, which runc takes from there.
fn in_terminal(runc: &mut Command, spec: &Value) -> Result<Seen> {
    let size = |side: &str| -> Result<u16> {
        let value = spec["process"]["consoleSize"][side].as_u64();
        Ok(u16::try_from(value.context("the terminal has no size")?)?)
    };
    let pty = pty::open(size("width")?, size("height")?)?;
    let mut child = runc
        .stdin(pty.far.try_clone()?)
        .stdout(pty.far.try_clone()?)
        .stderr(pty.far)
        .spawn()
        .context("cannot run runc")?;
    // The command holds its own copies of the far end.
    runc.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut near = pty.near;
    let bytes = pty::read_to_end(&mut near)?;
    let code = code(&mut child)?;
    Ok(Seen::ended(code, &bytes, b""))
}

fn code(child: &mut Child) -> Result<i32> {
    child.wait()?.code().context("runc was killed")
}

/// The last error of runc's own log.
fn refusal(bundle: &Path) -> Result<Option<String>> {
    let log = bundle.join("log");
    let text = match fs::read_to_string(&log) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| log.display().to_string())?,
    };
    let last = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|entry| entry["level"] == "error")
        .map(|entry| entry["msg"].as_str().unwrap_or_default().to_owned());
    Ok(last)
}
