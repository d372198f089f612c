//! The command line, one file a family of commands.
//!
//! `verbs` is the list of commands, `run` is what `husk run` does with a container, `container` what the container is;
//! `exec` and `manage` are the commands about containers that exist, `images` those about images, `host` those about the
//! host. Values with a form of their own are parsed in `values`.

mod container;
mod exec;
mod host;
mod images;
mod manage;
mod run;
mod verbs;

pub(crate) use container::ContainerArgs;
pub(crate) use exec::ExecArgs;
pub(crate) use host::{CheckArgs, CompletionsArgs, ManArgs};
pub(crate) use images::PullArgs;
pub(crate) use manage::{KillArgs, LogsArgs, Names, PsArgs, RmArgs, StatsArgs, StopArgs};
pub(crate) use run::RunArgs;
pub(crate) use verbs::{Cli, Verb};
