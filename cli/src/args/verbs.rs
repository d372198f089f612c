//! The commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::{CheckArgs, PullArgs, RunArgs};

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
    /// Fetch an image from a registry, or look whether the registry has a newer one
    Pull(PullArgs),
    /// Say whether this host can run microVMs, and what to do when it cannot
    Check(CheckArgs),
    /// Remove what killed husk processes left behind
    Gc,
}
