//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use husk_sandbox::spec::EnvOption;

use crate::values::{TimelineSink, cpu_millis, env_option, memory_bytes, timeline_sink};

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
    /// Say whether this host can run microVMs, and what to do when it cannot
    Check(CheckArgs),
    /// Remove what killed husk processes left behind
    Gc,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Remove the container afterwards; one that runs in the foreground always is
    #[arg(long)]
    pub(crate) rm: bool,
    /// Name of the pod and its container
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Connect standard input
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Set an environment variable, or pass this process's on
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = env_option)]
    pub(crate) env: Vec<EnvOption>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// User and group, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// CPUs, as 0.5 or 2
    #[arg(long, value_name = "NUMBER", value_parser = cpu_millis)]
    pub(crate) cpus: Option<u32>,
    /// Memory of the container: bytes, or with k, m or g
    #[arg(short, long, value_name = "SIZE", value_parser = memory_bytes)]
    pub(crate) memory: Option<u64>,
    /// Make the root file system read-only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Host name; the container's name otherwise
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// Replace the image's entry point
    #[arg(long, value_name = "COMMAND")]
    pub(crate) entrypoint: Option<String>,
    /// Say what happened when, in time and guest-kernel instructions: text or json to standard error, or JSON to a file
    #[arg(
        long,
        value_name = "text|json|PATH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text",
        value_parser = timeline_sink
    )]
    pub(crate) timeline: Option<TimelineSink>,
    /// Guest kernel: auto, lean, hardened, or the path of a vmlinux or bzImage
    #[arg(long, value_name = "KERNEL")]
    pub(crate) kernel: Option<String>,
    /// OCI layout (directory or tar), root file system directory, or OCI bundle
    pub(crate) image: String,
    /// The command; the image's otherwise
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
