//! What a container is: the options of `husk run` that end up in its specification.

use std::path::PathBuf;

use clap::Args;
use husk_sandbox::spec::{
    CapabilityName, EnvOption, PidsLimit, SecurityOption, Sysctl, Tmpfs, Ulimit, label,
};

use crate::values::{cpu_millis, env_option, memory_bytes};

#[derive(Debug, Args)]
pub(crate) struct ContainerArgs {
    /// Set an environment variable, or pass this process's on
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = env_option)]
    pub(crate) env: Vec<EnvOption>,
    /// Set environment variables from a file, one NAME=VALUE or NAME a line
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,
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
    /// Add a capability, or ALL
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    pub(crate) cap_add: Vec<CapabilityName>,
    /// Take a capability away, or ALL
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    pub(crate) cap_drop: Vec<CapabilityName>,
    /// seccomp=FILE, seccomp=unconfined, no-new-privileges[=BOOL], systempaths=unconfined; apparmor=unconfined and
    /// label=disable are so anyway
    #[arg(long, value_name = "OPTION")]
    pub(crate) security_opt: Vec<SecurityOption>,
    /// Mount a file system in memory
    #[arg(long, value_name = "PATH[:OPTIONS]")]
    pub(crate) tmpfs: Vec<Tmpfs>,
    /// Limit a resource of each process, as nofile=1024:4096
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    pub(crate) ulimit: Vec<Ulimit>,
    /// Set a kernel parameter of the container's namespaces
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) sysctl: Vec<Sysctl>,
    /// Limit the number of processes and threads; -1 is no limit
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub(crate) pids_limit: Option<PidsLimit>,
    /// Let a small init be process 1, which passes signals on and reaps orphans
    #[arg(long)]
    pub(crate) init: bool,
    /// Set a label
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
}
