//! `husk-filter-cost PAIRS`: what loading Docker's filter costs, in guest-kernel instructions. Prints a JSON array with one
//! difference a pair. Run by `cargo xtask bench run`.
//!
//! Two containers of one guest sleep, alike but for the filter, and `true` is executed in them in turn. An executed process
//! gets the container's own program by the same call as the container's first process, at the same moment (before the
//! capability sets are taken, or last), but costs a tenth of a container: what is left of two is less than what
//! two containers differ by themselves.

use std::{env, process::ExitCode};

use anyhow::{Context as _, Result, ensure};
use husk_sandbox::{
    agent::{NewProcess, ProcessId, Streams},
    images::{Accounts, ImageSource},
    spec::{self, RunOptions, SeccompChoice, Security, Shape, Spec},
};
use husk_tests::guest::Guest;

/// Executions that fill caches before it is counted.
const WARM: u32 = 2;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("husk-filter-cost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<()> {
    let pairs = env::args().nth(1).context("how many pairs?")?;
    let pairs: u32 = pairs.parse().with_context(|| format!("{pairs:?} pairs"))?;
    let guest = Guest::boot(Shape {
        vcpus: 1,
        memory_mib: 256,
    })?;
    let filtered = Sleeper::start(&guest, SeccompChoice::Default)?;
    let open = Sleeper::start(&guest, SeccompChoice::Unconfined)?;
    for _ in 0..WARM {
        filtered.exec(&guest)?;
        open.exec(&guest)?;
    }
    let mut differences = Vec::new();
    for pair in 0..pairs {
        // Each is first as often as the other, so that what grows or falls with time cancels out.
        let (with, without) = if pair % 2 == 0 {
            let with = filtered.exec(&guest)?;
            (with, open.exec(&guest)?)
        } else {
            let without = open.exec(&guest)?;
            (filtered.exec(&guest)?, without)
        };
        differences.push(i128::from(with) - i128::from(without));
    }
    let (_, left) = guest.end()?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    println!("{differences:?}");
    Ok(())
}

/// A container that sleeps.
struct Sleeper {
    id: String,
    process_json: Vec<u8>,
}

impl Sleeper {
    fn start(guest: &Guest, seccomp: SeccompChoice) -> Result<Self> {
        let id = guest.fresh_id();
        let sleep = specification(&["sleep", "1000000"], seccomp.clone())?;
        let exec = specification(&["true"], seccomp)?;
        guest.wait(async {
            guest.create(&id, &sleep).await?;
            guest.pod().start(&id).await
        })?;
        let process_json = serde_json::to_vec(exec.process())?;
        Ok(Self { id, process_json })
    }

    /// Guest-kernel instructions from the request to the end of the process.
    fn exec(&self, guest: &Guest) -> Result<u64> {
        let id = ProcessId {
            container: self.id.clone(),
            exec: "true".to_owned(),
        };
        let process = NewProcess {
            id: id.clone(),
            process_json: self.process_json.clone(),
            streams: Streams::default(),
            user: String::new(),
        };
        let pod = guest.pod();
        let (count, exit) = guest.wait(async {
            let before = pod.instructions().await?;
            pod.exec(process).await?;
            let exit = pod.wait(&id).await?;
            let after = pod.instructions().await?;
            pod.delete(&id).await?;
            anyhow::Ok((after.saturating_sub(before), exit))
        })?;
        ensure!(exit.code == 0, "true ended with {exit:?}");
        Ok(count)
    }
}

/// What `husk run` gives such a container.
fn specification(args: &[&str], seccomp: SeccompChoice) -> Result<Spec> {
    let options = RunOptions {
        args: args.iter().map(|word| (*word).to_owned()).collect(),
        hostname: "bench".to_owned(),
        security: Security {
            seccomp,
            ..Security::default()
        },
        ..RunOptions::default()
    };
    let accounts = Accounts::default();
    let made = spec::container(&ImageSource::RootFs, &accounts, &options, &|_| None)?;
    Ok(made)
}
