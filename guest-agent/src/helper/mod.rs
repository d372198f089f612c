//! The helper: this binary executed again for one job, single-threaded, so that libcontainer may fork.
//!
//! Called by `main` when the environment says so; it answers on the report pipe (`process::report`) and nowhere else,
//! because its standard streams are the container's.

mod complete;
mod execute;
mod executor;
mod fds;
mod network;
mod privileges;
mod run;
mod shared;
mod trace;

pub(crate) use privileges::{take, with_effective};
pub(crate) use run::run;
