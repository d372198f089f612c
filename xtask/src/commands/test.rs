//! `cargo xtask test` (`make test`, CI): every check, both kernels, the end-to-end tests.

use std::env;
use std::process::ExitCode;

use anyhow::Result;

use super::{build, guests};
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
        guests::run(workspace, &mut tally, ready);
    }
    Ok(tally.end())
}
