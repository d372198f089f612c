//! `cargo xtask bench run`: from create to exit, bulk output, and the whole of `husk run` beside a plain runc.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::detached::Detached;
use super::filter;
use super::husk;
use super::machine::{self, Machine};
use super::report::Bench;
use crate::host;
use crate::paths::Workspace;
use crate::process;
use crate::progress::Progress;

/// Loads of the filter: of so many differences the median stands still.
const LEAST_PAIRS: u32 = 15;

/// Runs `runs` times; `mib` of output each; true when every bar is held.
pub(crate) fn bench(workspace: &Workspace, runs: u32, mib: u32, json: bool) -> Result<bool> {
    let mut bench = Bench::new(
        "run",
        machine::commit(workspace)?,
        Machine::this(workspace)?,
    );
    let mut progress = Progress::begin("bench run");
    let peer = Peer::prepare(workspace)?;
    let mut figures = Figures::default();
    for run in 1..=runs {
        progress.tick(&format!("run {run} of {runs}"));
        let quiet = husk::run(workspace, "", &["true"])?;
        figures.container.push(quiet.container_insns()?);
        figures.wall.push(quiet.wall.as_secs_f64() * 1e3);
        figures.stdout.push(bulk(workspace, mib)?);
        figures.idle.push(idle(workspace)?);
        figures.runc.push(peer.run()?);
    }
    progress.tick("exec");
    let detached = Detached::start(workspace)?;
    // The first one finds nothing in the caches.
    detached.exec(&["true"])?;
    for _ in 0..runs.max(5) {
        figures.exec.push(detached.exec(&["true"])?);
    }
    drop(detached);
    progress.tick("filter");
    figures.seccomp = filter::loads(workspace, runs.max(LEAST_PAIRS))?;
    progress.end(&format!("{runs} runs"));
    bench.measure("container_insns", "insns", &figures.container, Some(12e6));
    bench.measure(
        "seccomp_load_insns",
        "insns",
        &figures.seccomp,
        Some(0.35e6),
    );
    bench.measure("exec_insns", "insns", &figures.exec, Some(1.2e6));
    bench.measure("idle_insns_per_s", "insns/s", &figures.idle, Some(0.1e6));
    bench.measure("stdout_insns_per_mib", "insns", &figures.stdout, Some(1e6));
    bench.measure("run_wall_ms", "ms", &figures.wall, None);
    bench.measure("runc_wall_ms", "ms", &figures.runc, None);
    bench.publish(workspace, json)
}

/// What the runs gave.
#[derive(Debug, Default)]
struct Figures {
    container: Vec<f64>,
    seccomp: Vec<f64>,
    exec: Vec<f64>,
    idle: Vec<f64>,
    stdout: Vec<f64>,
    wall: Vec<f64>,
    runc: Vec<f64>,
}

/// Instructions a second of a container that sleeps: those of a long sleep without those of a short one.
fn idle(workspace: &Workspace) -> Result<f64> {
    let sleep = |seconds: u32| {
        let script = format!("echo; exec sleep {seconds}");
        husk::run(workspace, "", &["sh", "-c", &script])?
            .timeline
            .between("first byte", "exit")
    };
    let (short, long) = (sleep(1)?, sleep(21)?);
    Ok((long - short) / 20.0)
}

/// Instructions for a MiB of output: those of a program that writes it, without those of the same one that throws it
/// away (making the bytes is not output's cost).
fn bulk(workspace: &Workspace, mib: u32) -> Result<f64> {
    let count = format!("count={mib}");
    let make = ["dd", "if=/dev/zero", "bs=1M", &count, "status=none"];
    let thrown_away = husk::run(workspace, "", &[&make[..], &["of=/dev/null"]].concat())?;
    let written = husk::run(workspace, "", &make)?;
    if written.stdout != u64::from(mib) << 20 {
        let bytes = written.stdout;
        bail!("{bytes} bytes of {mib} MiB came out of the guest");
    }
    let all = written.container_insns()?;
    let making = thrown_away.container_insns()?;
    Ok((all - making) / f64::from(mib))
}

/// The same image under runc.
#[derive(Debug)]
struct Peer {
    bundle: std::path::PathBuf,
}

impl Peer {
    fn prepare(workspace: &Workspace) -> Result<Self> {
        host::ensure_packages(host::PEER)?;
        let bundle = workspace.target.join("bench/runc");
        fs::remove_dir_all(&bundle).unwrap_or_default();
        let bin = bundle.join("rootfs/bin");
        for dir in ["bin", "dev", "proc", "sys"] {
            fs::create_dir_all(bundle.join("rootfs").join(dir))?;
        }
        fs::copy("/bin/busybox", bin.join("true")).context("cannot copy /bin/busybox")?;
        process::output(Command::new("runc").arg("spec").current_dir(&bundle))?;
        let path = bundle.join("config.json");
        let mut spec: Value = serde_json::from_slice(&fs::read(&path)?)?;
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["/bin/true"]);
        fs::write(&path, serde_json::to_vec(&spec)?)?;
        Ok(Self { bundle })
    }

    /// Milliseconds of one run.
    fn run(&self) -> Result<f64> {
        let name = format!("husk-bench-{}", std::process::id());
        let begun = Instant::now();
        let mut runc = Command::new("runc");
        runc.args(["run", &name])
            .current_dir(&self.bundle)
            .stdin(Stdio::null());
        process::output(&mut runc)?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }
}
