//! What the subcommands do, one file each; each is a short list of calls into `kernel`, `rootfs`, `check` and `image`.

mod build;
mod compare;
mod guests;
mod run;
mod test;

pub(crate) use build::{build, install_kernel, probe};
pub(crate) use compare::compare;
pub(crate) use run::run;
pub(crate) use test::test;
