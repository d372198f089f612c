//! The one door for work on Husk: `cargo xtask COMMAND`.
#![forbid(unsafe_code)]

mod check;
mod commands;
mod host;
mod image;
mod kernel;
mod paths;
mod process;
mod progress;
mod rootfs;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
    /// Everything that CI runs: the checks, both kernels, the end-to-end tests
    Test,
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
            println!("{} (kernel: {flavour})", workspace.artefacts().display());
        }
        Task::Image => println!("{}", image::build(&workspace)?.display()),
        Task::Run => commands::run(&workspace)?,
        Task::Test => return commands::test(&workspace),
        Task::Check { quick } => return Ok(check::everything(&workspace, *quick)),
    }
    Ok(ExitCode::SUCCESS)
}
