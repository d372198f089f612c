//! KVM: whether it can be opened, of what kind it is, and how fast.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use husk_machine::api::config::{HostKvm, KvmKind};

use super::report::Check;
use crate::machine::host_kvm;

const DEVICE: &str = "/dev/kvm";
const DEVICE_CHECK: &str = "kvm-device";
const KIND_CHECK: &str = "kvm-kind";
/// What a lean guest kernel executes until the agent can be called, in instructions (docs/boot.md).
const BOOT_INSTRUCTIONS: u64 = 16_000_000;

/// What the CPU says about virtualization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CpuVirtualization {
    /// VT-x.
    Intel,
    /// AMD-V.
    Amd,
    /// Neither is visible: a virtual machine without nesting, or switched off in the firmware.
    None,
}

/// Reads the flags of `/proc/cpuinfo`.
pub(super) fn virtualization(cpuinfo: &str) -> CpuVirtualization {
    let flags = cpuinfo
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    if flags.split_whitespace().any(|flag| flag == "vmx") {
        CpuVirtualization::Intel
    } else if flags.split_whitespace().any(|flag| flag == "svm") {
        CpuVirtualization::Amd
    } else {
        CpuVirtualization::None
    }
}

pub(super) fn device() -> Check {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let opened = File::options().read(true).write(true).open(DEVICE);
    device_check(opened.map(|_| ()), virtualization(&cpuinfo))
}

/// What an attempt to open the device means.
pub(super) fn device_check(opened: io::Result<()>, cpu: CpuVirtualization) -> Check {
    let Err(error) = opened else {
        return Check::ok(DEVICE_CHECK, format!("{DEVICE} can be opened"));
    };
    let found = format!("{DEVICE} cannot be opened: {error}");
    let fix = match (error.kind(), cpu) {
        (io::ErrorKind::PermissionDenied, _) => {
            "run husk as root, or in a container give it /dev/kvm"
        }
        (_, CpuVirtualization::Intel) => "modprobe kvm_intel",
        (_, CpuVirtualization::Amd) => "modprobe kvm_amd",
        (_, CpuVirtualization::None) => {
            "switch on VT-x or AMD-V in the firmware, nested virtualization in the hypervisor, \
             or load a KVM that needs neither (kvm_pvm)"
        }
    };
    Check::fail(DEVICE_CHECK, found, fix)
}

/// What cannot be known without the device or the VMM.
pub(super) fn unknown() -> Check {
    let fix = "fix kvm-device and vmm first: the VMM measures it";
    Check::fail(KIND_CHECK, "not known", fix)
}

pub(super) fn kind(vmm: &Path, keep_in: &Path) -> Check {
    match host_kvm(vmm, keep_in) {
        Ok(host) => kind_check(&host, Path::new("/sys/module/kvm_pvm").exists()),
        Err(error) => {
            let fix = "see that no other hypervisor uses the CPU, and that the VMM fits this host";
            Check::fail(KIND_CHECK, error.to_string(), fix)
        }
    }
}

/// What a measured KVM means for people.
pub(super) fn kind_check(host: &HostKvm, pvm_module: bool) -> Check {
    if host.kind == KvmKind::Hardware {
        return Check::ok(KIND_CHECK, "hardware virtualization (VT-x or AMD-V)");
    }
    let nanos = u64::from(host.ns_per_instruction.max(1));
    let (speed, boot) = (100_000 / nanos, BOOT_INSTRUCTIONS * nanos / 1_000_000_000);
    let module = if pvm_module { " (kvm_pvm)" } else { "" };
    let found = format!(
        "guest kernel code is interpreted{module}: {}.{:02} million instructions/s, a boot takes about {boot} s",
        speed / 100,
        speed % 100,
    );
    let fix = "use a host with VT-x or AMD-V for speed; everything works without";
    Check::warn(KIND_CHECK, found, fix)
}
