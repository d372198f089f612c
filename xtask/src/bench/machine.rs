//! What the figures were taken on.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::paths::Workspace;
use crate::process;

/// The machine of a bench.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    kvm: String,
    emulated_ns_per_instruction: u32,
    load: f64,
}

/// What `husk-vmm probe` says of the host's KVM.
#[derive(Debug, Deserialize)]
struct Probe {
    kind: String,
    ns_per_instruction: u32,
}

impl Machine {
    /// This machine, at this moment.
    pub(crate) fn this(workspace: &Workspace) -> Result<Self> {
        let vmm = workspace.artefacts().join("husk-vmm");
        let text = process::output(Command::new(vmm).arg("probe"))?;
        let probe: Probe = serde_json::from_str(text.trim())
            .with_context(|| format!("husk-vmm probe said {}", text.trim()))?;
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
        let loads = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
        let load = loads
            .split_whitespace()
            .next()
            .and_then(|load| load.parse().ok());
        Ok(Self {
            cpu: cpu_of(&cpuinfo).to_owned(),
            kvm: probe.kind,
            emulated_ns_per_instruction: probe.ns_per_instruction,
            load: load.unwrap_or_default(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            kvm,
            emulated_ns_per_instruction: ns,
            load,
        } = self;
        write!(
            f,
            "{cpu}, {kvm} kvm, {ns} ns per emulated instruction, load {load}"
        )
    }
}

/// The first CPU's name.
fn cpu_of(cpuinfo: &str) -> &str {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")
        .map_or("unknown", |(_, name)| name.trim())
}

/// The commit of the checkout, with a mark when files differ from it.
pub(crate) fn commit(workspace: &Workspace) -> Result<String> {
    let text = process::output(
        Command::new("git")
            .args(["describe", "--always", "--dirty", "--exclude=*"])
            .current_dir(&workspace.root),
    )?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::cpu_of;

    #[test]
    fn cpu_is_the_first_model_name() {
        assert_eq!(
            cpu_of("model\t: 1\nmodel name\t: A B\nmodel name\t: C\n"),
            "A B"
        );
        assert_eq!(cpu_of(""), "unknown");
    }
}
