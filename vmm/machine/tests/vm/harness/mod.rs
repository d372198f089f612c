//! A launcher for tests: [`Setup`] is a machine to be, [`Vm`] one that runs; [`guest`] makes its code, [`linux`] an initramfs.

pub(crate) mod guest;
pub(crate) mod linux;
mod setup;
mod vm;

pub(crate) use setup::{Setup, UID, disk, send, spawn};
pub(crate) use vm::{Client, Vm};

/// Whether tests that need KVM are skipped: only ever because somebody said so.
pub(crate) fn without_kvm() -> bool {
    let skip = std::env::var_os("HUSK_SKIP_KVM").is_some_and(|value| value == "1");
    if skip {
        eprintln!("skipped: HUSK_SKIP_KVM=1");
    }
    skip
}
