//! What a container is: the options of `husk run` that end up in its specification.

use clap::Args;
use husk_sandbox::spec::EnvOption;

use crate::values::{cpu_millis, env_option, memory_bytes};

#[derive(Debug, Args)]
pub(crate) struct ContainerArgs {
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
}
