//! What kind of KVM this host has and how fast it is: measured by `husk-vmm probe`, kept for the boot of the host.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::UNIX_EPOCH,
};

use husk_machine::api::config::{HostKvm, KvmKind};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{MachineError, spec::open_kvm};

/// The most that is read of the probe's answer.
const MAX_ANSWER_BYTES: usize = 64 << 10;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The measure holds for one boot of one host.
    boot_id: String,
    /// And for one build of the VMM.
    vmm: String,
    host: HostKvm,
}

/// The host's KVM, measured once per boot; `run_dir` keeps the answer.
///
/// # Errors
/// The probe fails: there is no usable KVM.
pub fn host_kvm(vmm: &Path, run_dir: &Path) -> Result<HostKvm, MachineError> {
    // What is kept says nothing about whether it can be used now.
    drop(open_kvm()?);
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let build = build_of(vmm);
    let file = run_dir.join("host-kvm.json");
    if let Some(kept) = read_kept(&file)
        && kept.boot_id == boot_id
        && kept.vmm == build
        && !boot_id.is_empty()
    {
        return Ok(kept.host);
    }
    let host = probe(vmm)?;
    let kept = Kept {
        boot_id,
        vmm: build,
        host: host.clone(),
    };
    // Not kept is not wrong: the next start measures again.
    if let Err(error) = keep(&file, run_dir, &kept) {
        tracing::debug!(file = %file.display(), %error, "the measured KVM is not kept");
    }
    Ok(host)
}

fn read_kept(file: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

fn keep(file: &Path, dir: &Path, kept: &Kept) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut temporary = NamedTempFile::new_in(dir)?;
    temporary.write_all(&serde_json::to_vec(kept)?)?;
    temporary.persist(file)?;
    Ok(())
}

fn build_of(vmm: &Path) -> String {
    let Ok(metadata) = fs::metadata(vmm) else {
        return String::new();
    };
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!(
        "{} {} {}",
        vmm.display(),
        metadata.len(),
        modified.map_or(0, |time| time.as_nanos())
    )
}

fn probe(vmm: &Path) -> Result<HostKvm, MachineError> {
    let output = Command::new(vmm)
        .arg("probe")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|source| MachineError::Spawn {
            path: vmm.to_owned(),
            source,
        })?;
    let failed = |text: String| MachineError::Probe {
        path: vmm.to_owned(),
        text,
    };
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.trim().lines().last().unwrap_or("no words").to_owned();
        return Err(failed(format!("{}: {words}", output.status)));
    }
    parse_answer(&output.stdout).map_err(failed)
}

/// The answer's first line: the members of `HostKvm`, and details that only people read.
pub(super) fn parse_answer(stdout: &[u8]) -> Result<HostKvm, String> {
    if stdout.len() > MAX_ANSWER_BYTES {
        return Err(format!("answer of {} bytes", stdout.len()));
    }
    let text = String::from_utf8_lossy(stdout);
    let line = text.lines().next().unwrap_or_default();
    let answer: Answer =
        serde_json::from_str(line).map_err(|error| format!("answer {line:?}: {error}"))?;
    Ok(HostKvm {
        kind: answer.kind,
        ns_per_instruction: answer.ns_per_instruction,
    })
}

#[derive(Deserialize)]
struct Answer {
    kind: KvmKind,
    ns_per_instruction: u32,
}
