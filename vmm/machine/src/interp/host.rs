//! What kind of KVM a host has, and what a guest kernel has to be told because of it.

use crate::api::config::{HostKvm, KvmKind};
use crate::boot::{Cmdline, CmdlineError};

/// CPU features that the guest kernel must not use, because each use would be completed in this process:
/// masks in CPUID do not hide them there. 395 is FSRS.
const CLEARED: &str = "clearcpuid=cx16,smap,smep,popcnt,erms,fsrm,395,xsavec,xsaveopt";

/// The kernel write-protects its text and constants page by page at the end of its boot: 0.65 million instructions of
/// 11. The machine's border is what holds a guest here, and no kernel of such a host has mitigations either.
const NO_RODATA: &str = "rodata=off";

/// A tick is to take no more than about a twentieth of the time: 3,100 instructions, 10 ms apart.
const TICK_INSTRUCTIONS: u64 = 3_100;
const TICK_NS: u64 = 10_000_000;
const TICK_SHARE: u64 = 20;
const MAX_STRETCH: u64 = 12;

/// Boot parameters that the guest kernel needs on `host`; none on hardware.
///
/// # Errors
/// The command line is too long or has one of them already.
pub fn add_boot_words(host: &HostKvm, cmdline: &mut Cmdline) -> Result<(), CmdlineError> {
    if host.kind == KvmKind::Hardware {
        return Ok(());
    }
    cmdline.word("cpl3_syscall")?;
    cmdline.word(CLEARED)?;
    cmdline.word("fault_around=4096")?;
    cmdline.word(NO_RODATA)?;
    match tick_stretch(host.ns_per_instruction) {
        1 => Ok(()),
        stretch => cmdline.word(&format!("tick_stretch={stretch}")),
    }
}

/// One tick every so many jiffies.
fn tick_stretch(ns_per_instruction: u32) -> u64 {
    let tick_ns = TICK_INSTRUCTIONS * u64::from(ns_per_instruction);
    (tick_ns * TICK_SHARE)
        .div_ceil(TICK_NS)
        .clamp(1, MAX_STRETCH)
}

#[cfg(test)]
#[path = "tests/host.rs"]
mod tests;
