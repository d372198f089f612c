//! `cargo xtask bench boot`: from launch to an agent that takes calls.

use anyhow::{Result, bail};

use super::husk::{self, Finished};
use super::machine::{self, Machine};
use super::report::Bench;
use crate::paths::Workspace;
use crate::progress::Progress;

/// The default machine has 16 read-only slots, the one beside it 1.
const FEWER_SLOTS: f64 = 15.0;

/// Boots `runs` machines and as many with fewer slots; true when every bar is held.
pub(crate) fn bench(workspace: &Workspace, runs: u32, json: bool) -> Result<bool> {
    let mut bench = Bench::new(
        "boot",
        machine::commit(workspace)?,
        Machine::this(workspace)?,
    );
    let mut progress = Progress::begin("bench boot");
    let (mut samples, mut few) = (Vec::new(), Vec::new());
    for run in 1..=runs {
        progress.tick(&format!("run {run} of {runs}"));
        samples.push(husk::run(workspace, "", &["true"])?);
        few.push(husk::run(workspace, "read_only_slots = 1\n", &["true"])?);
    }
    progress.end(&format!("{runs} runs"));

    let between = |samples: &[Finished], from: &str, to: &str| {
        samples
            .iter()
            .map(|run| run.timeline.between(from, to))
            .collect::<Result<Vec<f64>>>()
    };
    let kernel = between(&samples, "kernel started", "agent started")?;
    let ready = between(&samples, "agent started", "agent ready")?;
    let few_kernel = between(&few, "kernel started", "agent started")?;
    let slot: Vec<f64> = kernel
        .iter()
        .zip(&few_kernel)
        .map(|(all, one)| (all - one) / FEWER_SLOTS)
        .collect();
    let private = reported(&samples, Finished::vmm_private_kib)?;
    let cpu = reported(&samples, Finished::vmm_cpu_ms)?;
    bench.measure("kernel_insns", "insns", &kernel, Some(16e6));
    bench.measure("agent_ready_insns", "insns", &ready, Some(1e6));
    bench.measure("slot_insns", "insns", &slot, None);
    bench.measure("vmm_private_kib", "KiB", &private, Some(5120.0));
    bench.measure("vmm_cpu_ms", "ms", &cpu, Some(15.0));
    bench.publish(workspace, json)
}

/// Figures of the VMMs' reports; a run without one is named and left out, none at all is an error.
fn reported(samples: &[Finished], figure: fn(&Finished) -> Option<f64>) -> Result<Vec<f64>> {
    let mut figures = Vec::new();
    for (run, sample) in (1..).zip(samples) {
        match figure(sample) {
            Some(value) => figures.push(value),
            None => {
                eprintln!("run {run}: the VMM ended without a report, its figures are left out")
            }
        }
    }
    if figures.is_empty() {
        bail!("no VMM reported at its end: it does not end when asked, see husk run --timeline");
    }
    Ok(figures)
}
