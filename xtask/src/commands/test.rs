//! `cargo xtask test` (`make test`, CI): every check, both kernels, the end-to-end tests.

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use super::build;
use crate::check::{self, Tally};
use crate::host;
use crate::image;
use crate::kernel::Flavour;
use crate::paths::Workspace;
use crate::rootfs;

/// Runs everything; the last line is the sums.
pub(crate) fn test(workspace: &Workspace) -> Result<ExitCode> {
    let mut tally = Tally::default();
    let skip_kvm = env::var_os("HUSK_SKIP_KVM").is_some_and(|value| value == "1");
    let mut ready = tally.stage("host", |_| {
        let wanted = [host::KERNEL, host::AGENT, host::RUN, host::TESTS].concat();
        host::ensure_packages(&wanted)?;
        host::ensure_musl()?;
        if skip_kvm {
            Ok(())
        } else {
            host::require_kvm()
        }
    });
    check::without_guest(workspace, &mut tally);
    ready &= tally.stage("programs", |_| build::programs(workspace));
    ready &= tally.stage("agent", |_| {
        rootfs::build(workspace)?;
        build::probe(workspace)
    });
    for flavour in Flavour::ALL {
        ready &= tally.stage(&format!("kernel {flavour}"), |_| {
            build::install_kernel(workspace, flavour)
        });
    }
    ready &= tally.stage("image", |_| {
        rootfs::record(&workspace.artefacts())?;
        image::build(workspace).map(drop)
    });
    if skip_kvm {
        eprintln!("end-to-end: left out (HUSK_SKIP_KVM=1)");
    } else {
        // A dozen instructions each, so that they need nothing that was built.
        tally.stage("small guests", |count| {
            let mut cargo = Command::new("cargo");
            cargo
                .args(["test", "--package", "husk-machine", "--test", "kvm"])
                .args(["--", "--ignored"])
                .current_dir(&workspace.root)
                .env("CARGO_TARGET_DIR", &workspace.target);
            check::run_tests(workspace, "small-guests", &mut cargo, count)
        });
        tally.stage("vmm with a kernel", |count| {
            if !ready {
                bail!("not run: what it needs was not built");
            }
            // The other flavour, the other format and a second vCPU; what follows boots the lean vmlinux.
            let kernel = workspace.artefacts().join("bzImage-hardened");
            let mut cargo = Command::new("cargo");
            cargo
                .args(["test", "--package", "husk-machine", "--test", "vm"])
                .args(["--", "--ignored", "boot::"])
                .current_dir(&workspace.root)
                .env("CARGO_TARGET_DIR", &workspace.target)
                .env("HUSK_TEST_KERNEL", kernel)
                .env("HUSK_TEST_VCPUS", "2");
            check::run_tests(workspace, "vmm-with-kernel", &mut cargo, count)
        });
        tally.stage("end-to-end", |count| {
            if !ready {
                bail!("not run: what it needs was not built");
            }
            let mut cargo = Command::new("cargo");
            cargo
                .args(["test", "--package", "husk-tests", "--no-fail-fast"])
                .current_dir(&workspace.root)
                .env("CARGO_TARGET_DIR", &workspace.target)
                .env("HUSK_ARTEFACTS", workspace.artefacts());
            check::run_tests(workspace, "end-to-end", &mut cargo, count)
        });
    }
    Ok(tally.end())
}
