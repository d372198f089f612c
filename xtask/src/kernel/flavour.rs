//! The two kernels that Husk has.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;
use serde::Deserialize;

use crate::process;

/// Which kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flavour {
    /// For a KVM that interprets guest kernel code.
    Lean,
    /// For hardware virtualization.
    Hardened,
}

/// The part of `husk-vmm probe`'s answer that decides.
#[derive(Debug, Deserialize)]
struct Probe {
    kind: String,
}

impl Flavour {
    /// Both, in the order in which they are built.
    pub(crate) const ALL: [Self; 2] = [Self::Lean, Self::Hardened];

    /// The name as it stands in file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lean => "lean",
            Self::Hardened => "hardened",
        }
    }

    /// What this host needs: the VMM's own probe decides; without KVM, what the CPU says.
    pub(crate) fn for_host(vmm: &Path) -> Self {
        let probed = process::output(Command::new(vmm).arg("probe")).ok();
        let probe = probed.and_then(|text| serde_json::from_str::<Probe>(text.trim()).ok());
        match probe.as_ref().map(|probe| probe.kind.as_str()) {
            Some("hardware") => Self::Hardened,
            Some("interpreting") => Self::Lean,
            _ => {
                let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
                Self::of_cpu(&cpuinfo, Path::new("/sys/module/kvm_pvm").exists())
            }
        }
    }

    /// Hardened where the CPU virtualizes, lean where a KVM without that is loaded.
    fn of_cpu(cpuinfo: &str, software_kvm: bool) -> Self {
        let virtualizes = cpuinfo
            .lines()
            .filter(|line| line.starts_with("flags"))
            .flat_map(str::split_whitespace)
            .any(|flag| flag == "vmx" || flag == "svm");
        if software_kvm && !virtualizes {
            Self::Lean
        } else {
            Self::Hardened
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Flavour;

    #[test]
    fn cpu_with_vmx_gets_the_hardened_kernel() {
        let flavour = Flavour::of_cpu("flags\t\t: fpu vmx ssse3\n", true);
        assert_eq!(flavour, Flavour::Hardened);
    }

    #[test]
    fn cpu_without_virtualization_under_software_kvm_gets_the_lean_kernel() {
        let flavour = Flavour::of_cpu("flags : fpu\nmodel name : svm vmx\n", true);
        assert_eq!(flavour, Flavour::Lean);
    }
}
