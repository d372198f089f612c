//! What a person can ask of one container, and the shape of a machine.

use super::flags::{CapabilityName, EnvOption, PidsLimit, Security, Sysctl, Tmpfs, Ulimit};

/// What `husk run` was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// The command after the image: replaces the image's `cmd`.
    pub args: Vec<String>,
    /// Replaces the image's entry point and drops its `cmd`; an empty string removes the entry point.
    pub entrypoint: Option<String>,
    /// Added to the image's environment, later ones win.
    pub env: Vec<EnvOption>,
    /// `user[:group]` by name or number.
    pub user: Option<String>,
    /// Absolute working directory, made when missing.
    pub working_dir: Option<String>,
    /// Host name of the container; the sandbox gives the container's id when nobody asked for one.
    pub hostname: String,
    /// Whether the container's root is read-only.
    pub read_only: bool,
    /// CPU limit in thousandths of a CPU.
    pub cpu_millis: Option<u32>,
    /// Memory limit in bytes.
    pub memory_bytes: Option<u64>,
    /// Whether the process gets a pseudo-terminal.
    pub terminal: bool,
    /// Capabilities besides the default ones.
    pub cap_add: Vec<CapabilityName>,
    /// Capabilities that are taken away.
    pub cap_drop: Vec<CapabilityName>,
    /// What else holds the container.
    pub security: Security,
    /// File systems in memory.
    pub tmpfs: Vec<Tmpfs>,
    /// Limits of each process.
    pub ulimits: Vec<Ulimit>,
    /// Kernel parameters of the container's namespaces.
    pub sysctls: Vec<Sysctl>,
    /// Limit of processes and threads.
    pub pids_limit: Option<PidsLimit>,
    /// Added to the image's labels, which end up as annotations.
    pub labels: Vec<(String, String)>,
}

/// The size of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of vCPUs.
    pub vcpus: u8,
    /// Guest memory in MiB.
    pub memory_mib: u32,
}
