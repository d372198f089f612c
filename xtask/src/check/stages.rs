//! The checks in their order; one line and a time for each, every problem of each.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};

use super::tests::{self, Count};
use super::{layers, sizes};
use crate::host;
use crate::paths::Workspace;
use crate::process;

/// What the stages so far came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    count: Count,
    failed_stages: Vec<String>,
}

impl Tally {
    /// Runs one stage, says how it ended and how long it took; false when it failed.
    pub(crate) fn stage(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Count) -> Result<()>,
    ) -> bool {
        let begun = Instant::now();
        let mut count = Count::default();
        let result = work(&mut count);
        let seconds = begun.elapsed().as_secs_f64();
        let tests = if count.total() > 0 {
            format!(", {count}")
        } else {
            String::new()
        };
        match &result {
            Ok(()) => eprintln!("{name}: ok ({seconds:.1} s{tests})"),
            Err(error) => {
                eprintln!("{name}: FAILED ({seconds:.1} s{tests})\n{error:#}");
                self.failed_stages.push(name.to_owned());
                // A stage that fails without a failed test counts as one.
                count.failed = count.failed.max(1);
            }
        }
        self.count += count;
        result.is_ok()
    }

    /// Says what failed, and the sums as the last line.
    pub(crate) fn end(self) -> ExitCode {
        if self.failed_stages.is_empty() {
            println!("{}", self.count);
            return ExitCode::SUCCESS;
        }
        println!("failed: {}", self.failed_stages.join(", "));
        println!("{}", self.count);
        ExitCode::FAILURE
    }
}

/// `cargo xtask check`; quick: without what has to be compiled.
pub(crate) fn everything(workspace: &Workspace, quick: bool) -> ExitCode {
    let mut tally = Tally::default();
    if quick {
        uncompiled(workspace, &mut tally);
    } else {
        without_guest(workspace, &mut tally);
    }
    tally.end()
}

/// A cargo command in the checkout.
fn cargo_in(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(&workspace.root);
    cargo
}

/// What is said about the text alone.
fn uncompiled(workspace: &Workspace, tally: &mut Tally) {
    tally.stage("format", |_| {
        let mut fmt = cargo_in(workspace, &["fmt", "--all", "--check"]);
        process::run_step(workspace, "format", &mut fmt, |_| {}).context("cargo fmt --all")
    });
    tally.stage("layers", |_| layers::check(workspace));
    tally.stage("sizes", |_| sizes::check(workspace));
}

/// Every check that needs no guest.
pub(crate) fn without_guest(workspace: &Workspace, tally: &mut Tally) {
    uncompiled(workspace, tally);
    let cargo = |arguments: &[&str]| cargo_in(workspace, arguments);
    tally.stage("clippy", |_| {
        let lint = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        process::run_step(workspace, "clippy", &mut cargo(&lint), |_| {})
    });
    let but_e2e = ["--workspace", "--exclude", "husk-tests"];
    tally.stage("tests", |count| {
        host::ensure_packages(host::TESTS)?;
        let run: &[&str] = if process::output(&mut cargo(&["nextest", "--version"])).is_ok() {
            &[
                "nextest",
                "run",
                "--no-tests=pass",
                "--no-fail-fast",
                "--status-level=fail",
                "--failure-output=final",
            ]
        } else {
            &["test", "--lib", "--bins", "--tests", "--no-fail-fast"]
        };
        tests::run(workspace, "tests", cargo(run).args(but_e2e), count)
    });
    tally.stage("doc tests", |count| {
        let run = ["test", "--doc", "--no-fail-fast"];
        tests::run(workspace, "doc tests", cargo(&run).args(but_e2e), count)
    });
}
