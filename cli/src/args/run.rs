//! What `husk run` does with a container.

use clap::Args;
use husk_sandbox::images::PullPolicy;

use super::ContainerArgs;
use crate::values::{TimelineSink, pull_policy, signal, timeline_sink};

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Run in the background, print the id, and keep the output for husk logs
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Remove the container when it has ended; one that runs in the foreground always is
    #[arg(long)]
    pub(crate) rm: bool,
    /// Name of the pod and its container
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Connect standard input
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The signal that husk stop sends; the image's otherwise, or TERM
    #[arg(long, value_name = "SIGNAL", value_parser = signal)]
    pub(crate) stop_signal: Option<u32>,
    /// Seconds before husk stop kills it; 10 otherwise
    #[arg(long, value_name = "SECONDS")]
    pub(crate) stop_timeout: Option<u64>,
    #[command(flatten)]
    pub(crate) container: ContainerArgs,
    /// Say what happened when, in time and guest-kernel instructions: text or json to standard error, or JSON to a file.
    /// With -d: until the container runs
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
    /// When to ask a registry for an image that is named: missing, always or never
    #[arg(long, value_name = "WHEN", default_value = "missing", value_parser = pull_policy)]
    pub(crate) pull: PullPolicy,
    /// OCI layout or docker archive, root file system directory or OCI bundle, else HOST/PATH[:TAG][@DIGEST] of a registry
    pub(crate) image: String,
    /// The command; the image's otherwise
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}
