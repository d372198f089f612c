//! The command line, one file a family of commands.
//!
//! `verbs` is the list of commands, `run` is what `husk run` does with a container, `container` what the container is;
//! `host` is the commands about the host, `images` those about images. Values with a form of their own are parsed in `values`.

mod container;
mod host;
mod images;
mod run;
mod verbs;

pub(crate) use container::ContainerArgs;
pub(crate) use host::CheckArgs;
pub(crate) use images::PullArgs;
pub(crate) use run::RunArgs;
pub(crate) use verbs::{Cli, Verb};
