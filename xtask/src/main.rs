//! The one door for work on Husk: `cargo xtask COMMAND`.
#![forbid(unsafe_code)]

mod bench;
mod check;
mod commands;
mod host;
mod image;
mod kernel;
mod key;
mod paths;
mod process;
mod programs;
mod progress;
mod rootfs;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use kernel::Flavour;
use paths::Workspace;

/// Build, check, test and measure Husk.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds the guest kernel, or takes it from the cache
    Kernel {
        /// Which kernel; without it the one that this host needs
        #[arg(long = "flavour", conflicts_with = "name")]
        flavour: Option<Flavour>,
        /// The same without the flag
        name: Option<Flavour>,
    },
    /// Builds the agent and the initramfs
    Rootfs,
    /// Checks format, lints, tests without KVM, layers and sizes
    Check {
        /// Only what needs no compiler: format, layers, sizes
        #[arg(long)]
        quick: bool,
    },
    /// Builds every artefact: the kernel that this host needs, the initramfs, the programs
    Build,
    /// Makes a small OCI image from Debian's busybox-static
    Image,
    /// Builds what is missing and runs a command in a microVM
    Run,
    /// Starts real programs from Debian's packages, each in a microVM of its own, asks them something and stops them
    Programs(programs::Options),
    /// Runs the same specifications under runc and in a microVM and lists what differs; fails when docs/limits.md does not say why
    Compare {
        /// Which specifications; all without a name
        names: Vec<String>,
    },
    /// Measures the real thing
    #[command(subcommand)]
    Bench(Bench),
    /// Everything that CI runs: the checks, both kernels, the end-to-end tests
    Test,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// From launch to an agent that takes calls
    Boot(BenchOptions),
    /// From create to exit, and bulk output
    Run {
        #[command(flatten)]
        options: BenchOptions,
        /// Output of each run
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
        mib: u32,
    },
}

#[derive(Debug, Args)]
struct BenchOptions {
    /// How often
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Prints the JSON instead of the table
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match work(&Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(task: &Task) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match task {
        Task::Kernel { flavour, name } => {
            let vmm = workspace.artefacts().join("husk-vmm");
            let flavour = flavour.or(*name).unwrap_or_else(|| Flavour::for_host(&vmm));
            commands::install_kernel(&workspace, flavour)?;
            rootfs::record(&workspace.artefacts())?;
            println!(
                "{}",
                workspace
                    .artefacts()
                    .join(format!("vmlinux-{flavour}"))
                    .display()
            );
        }
        Task::Rootfs => {
            let path = rootfs::build(&workspace)?;
            rootfs::record(&workspace.artefacts())?;
            println!("{}", path.display());
        }
        Task::Build => {
            let flavour = commands::build(&workspace)?;
            commands::probe(&workspace)?;
            println!("{} (kernel: {flavour})", workspace.artefacts().display());
        }
        Task::Image => println!("{}", image::build(&workspace)?.display()),
        Task::Run => commands::run(&workspace)?,
        Task::Programs(options) => return Ok(verdict(programs::run(&workspace, options)?)),
        Task::Compare { names } => commands::compare(&workspace, names)?,
        Task::Test => return commands::test(&workspace),
        Task::Bench(bench) => {
            let held = match bench {
                Bench::Boot(options) => bench::boot(&workspace, options.runs, options.json)?,
                Bench::Run { options, mib } => {
                    bench::run(&workspace, options.runs, *mib, options.json)?
                }
            };
            return Ok(verdict(held));
        }
        Task::Check { quick } => return Ok(check::everything(&workspace, *quick)),
    }
    Ok(ExitCode::SUCCESS)
}

fn verdict(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
