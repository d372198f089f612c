//! The commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::{
    CheckArgs, CompletionsArgs, ExecArgs, KillArgs, LogsArgs, ManArgs, Names, PsArgs, PullArgs,
    RmArgs, RunArgs, StatsArgs, StopArgs,
};

/// Runs OCI images, each in a microVM of its own.
#[derive(Debug, Parser)]
#[command(name = "husk", version)]
pub(crate) struct Cli {
    /// Settings file; HUSK_CONFIG names it too
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a command in a new container in a new microVM
    Run(Box<RunArgs>),
    /// List containers
    Ps(PsArgs),
    /// Run another command in a running container
    Exec(Box<ExecArgs>),
    /// Show what detached containers wrote
    Logs(LogsArgs),
    /// Ask containers to end, and kill those that do not
    Stop(StopArgs),
    /// Signal containers
    Kill(KillArgs),
    /// Wait until containers have ended, and print their exit codes
    Wait(Names),
    /// Remove containers that have ended
    Rm(RmArgs),
    /// Hold everything in containers where it is
    Pause(Names),
    /// Let paused containers go on
    Unpause(Names),
    /// Show what containers use
    Stats(StatsArgs),
    /// Print all that is known of containers, as JSON
    Inspect(Names),
    /// Fetch an image from a registry, or look whether the registry has a newer one
    Pull(PullArgs),
    /// Say whether this host can run microVMs, and what to do when it cannot
    Check(CheckArgs),
    /// Remove what killed husk processes left behind
    Gc,
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages
    Man(ManArgs),
    /// Owns a detached container; started by husk run -d only
    #[command(hide = true)]
    PodOwner,
}
