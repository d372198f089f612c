//! Arguments of the commands about containers that exist.

use clap::Args;
use husk_sandbox::engine::Instant;

use crate::values::{moment, signal, tail};

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Show those that have ended too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Print only ids
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) quiet: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Names {
    /// Name, id, or the beginning of an id
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The signal, by name or number
    #[arg(short, long, default_value = "KILL", value_parser = signal)]
    pub(crate) signal: u32,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Seconds before it is killed; -1 waits for ever. What the container was started with otherwise
    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=31_536_000))]
    pub(crate) timeout: Option<i64>,
    /// The signal that asks it to end; the image's otherwise, or TERM
    #[arg(short, long, value_parser = signal)]
    pub(crate) signal: Option<u32>,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// End it first if it runs
    #[arg(short, long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) names: Names,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on as long as it runs
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show only so many lines of the end
    #[arg(short = 'n', long, value_name = "LINES|all", default_value = "all", value_parser = tail)]
    pub(crate) tail: usize,
    /// Show only what came since: a time, seconds since 1970, or a time ago such as 10m
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Instant>,
    /// Begin each line with its time
    #[arg(short, long)]
    pub(crate) timestamps: bool,
    /// Name, id, or the beginning of an id
    pub(crate) container: String,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Look once
    #[arg(long)]
    pub(crate) no_stream: bool,
    /// Print JSON, one array a look
    #[arg(long)]
    pub(crate) json: bool,
    /// Names, ids, or beginnings of ids; all that run otherwise
    #[arg(value_name = "CONTAINER")]
    pub(crate) names: Vec<String>,
}
