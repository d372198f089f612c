//! The part of `cargo xtask test` that boots guests.
//!
//! Where guest kernel code is interpreted a guest keeps one CPU busy for as long as it lives, so two of them run side by
//! side: the one that most checks share, and whatever boots guests of its own, one after the other.

use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::check::{self, Count, Tally};
use crate::paths::Workspace;
use crate::programs;

/// The guest that many checks share, a folder of the crate `tests`.
const SHARED: &str = "guest";

/// Every test that boots something; `ready` says whether what they need was built.
pub(super) fn run(workspace: &Workspace, tally: &mut Tally, ready: bool) {
    // A dozen instructions each, so that they need nothing that was built.
    tally.stage("small guests", |count| {
        let mut cargo = cargo(workspace, "husk-machine", &["--test", "kvm"]);
        cargo.args(["--", "--ignored"]);
        check::run_tests(workspace, "small-guests", &mut cargo, count)
    });
    tally.stage("guests", |count| {
        if !ready {
            bail!("not run: what they need was not built");
        }
        // Built first: two builds would wait for each other.
        let mut build = cargo(workspace, "husk-tests", &["--no-run"]);
        check::run_tests(workspace, "end-to-end-build", &mut build, count)?;
        let mut apart = Count::default();
        let (shared, own) = thread::scope(|scope| {
            let own = scope.spawn(|| own_guests(workspace, &mut apart));
            let mut cargo = cargo(workspace, "husk-tests", &["--test", SHARED]);
            let shared = check::run_tests(workspace, "end-to-end-shared", &mut cargo, count);
            let own = own.join();
            (
                shared,
                own.unwrap_or_else(|_| Err(anyhow!("a thread of the tests panicked"))),
            )
        });
        *count += apart;
        match (shared, own) {
            (Err(one), Err(other)) => bail!("{one:#}\n{other:#}"),
            (one, other) => one.and(other),
        }
    });
}

/// What boots guests of its own, one after the other. Each part runs, whatever came of those before it.
fn own_guests(workspace: &Workspace, count: &mut Count) -> Result<()> {
    let parts = [end_to_end, vmm_with_kernel, real_programs];
    let mut failures = Vec::new();
    for part in parts {
        if let Err(error) = part(workspace, count) {
            failures.push(format!("{error:#}"));
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    bail!("{}", failures.join("\n"))
}

/// The tests of the crate `tests` but for the guest that many share.
fn end_to_end(workspace: &Workspace, count: &mut Count) -> Result<()> {
    let others = test_programs(workspace)?
        .into_iter()
        .filter(|name| name != SHARED)
        .flat_map(|name| [OsString::from("--test"), name]);
    let mut cargo = cargo(workspace, "husk-tests", &["--no-fail-fast", "--lib"]);
    cargo.args(others).args(["--", "--test-threads=1"]);
    check::run_tests(workspace, "end-to-end-own", &mut cargo, count)
}

/// The other flavour, the other format and a second vCPU; the rest boots the lean vmlinux.
fn vmm_with_kernel(workspace: &Workspace, count: &mut Count) -> Result<()> {
    let kernel = workspace.artefacts().join("bzImage-hardened");
    let mut cargo = cargo(workspace, "husk-machine", &["--test", "vm"]);
    cargo
        .args(["--", "--ignored", "boot::"])
        .env("HUSK_TEST_KERNEL", kernel)
        .env("HUSK_TEST_VCPUS", "2");
    check::run_tests(workspace, "vmm-with-kernel", &mut cargo, count)
}

fn real_programs(workspace: &Workspace, count: &mut Count) -> Result<()> {
    count.passed += programs::tested(workspace)?;
    Ok(())
}

/// Names of the test programs.
fn test_programs(workspace: &Workspace) -> Result<Vec<OsString>> {
    let dir = workspace.root.join("tests/tests");
    let list = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in list {
        let path = entry
            .with_context(|| format!("cannot list {}", dir.display()))?
            .path();
        if path.join("main.rs").is_file() || path.extension().is_some_and(|end| end == "rs") {
            names.extend(path.file_stem().map(OsString::from));
        }
    }
    names.sort();
    Ok(names)
}

fn cargo(workspace: &Workspace, package: &str, arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "--package", package])
        .args(arguments)
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", &workspace.target)
        .env("HUSK_ARTEFACTS", workspace.artefacts());
    cargo
}
