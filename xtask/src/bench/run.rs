//! `cargo xtask bench run`: from create to exit, bulk output, and the whole of `husk run` beside a plain runc.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::husk;
use super::machine::{self, Machine};
use super::report::Bench;
use crate::host;
use crate::paths::Workspace;
use crate::process;
use crate::progress::Progress;

/// Runs `runs` times; `mib` of output each; true when every bar is held.
pub(crate) fn bench(workspace: &Workspace, runs: u32, mib: u32, json: bool) -> Result<bool> {
    let mut bench = Bench::new(
        "run",
        machine::commit(workspace)?,
        Machine::this(workspace)?,
    );
    let mut progress = Progress::begin("bench run");
    let peer = Peer::prepare(workspace)?;
    let (mut container, mut stdout, mut wall, mut runc) = (vec![], vec![], vec![], vec![]);
    for run in 1..=runs {
        progress.tick(&format!("run {run} of {runs}"));
        let quiet = husk::run(workspace, "", &["true"])?;
        container.push(quiet.timeline.between("agent ready", "exit")?);
        wall.push(quiet.wall.as_secs_f64() * 1e3);
        stdout.push(bulk(workspace, mib)?);
        runc.push(peer.run()?);
    }
    progress.end(&format!("{runs} runs"));
    bench.measure("container_insns", "insns", &container, Some(12e6));
    bench.measure("stdout_insns_per_mib", "insns", &stdout, Some(1e6));
    bench.measure("run_wall_ms", "ms", &wall, None);
    bench.measure("runc_wall_ms", "ms", &runc, None);
    bench.publish(workspace, json)
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
    let all = written.timeline.between("agent ready", "exit")?;
    let making = thrown_away.timeline.between("agent ready", "exit")?;
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
