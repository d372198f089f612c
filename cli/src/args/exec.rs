//! Arguments of `husk exec`.

use clap::Args;
use husk_sandbox::spec::EnvOption;

use crate::values::{capability, env_option};

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Connect standard input
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Do not wait for it; its streams are /dev/null
    #[arg(short, long, conflicts_with_all = ["interactive", "tty"])]
    pub(crate) detach: bool,
    /// Set an environment variable, or pass this process's on
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = env_option)]
    pub(crate) env: Vec<EnvOption>,
    /// Working directory; the container's otherwise
    #[arg(short, long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// User and group, by name or number; the container's otherwise
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Give it a capability beside the container's, or ALL
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = capability)]
    pub(crate) cap_add: Vec<String>,
    /// Take one of the container's away from it, or ALL
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = capability)]
    pub(crate) cap_drop: Vec<String>,
    /// Name, id, or the beginning of an id
    pub(crate) container: String,
    /// The command
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}
