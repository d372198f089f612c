//! What a container may use: the files of its cgroup and the devices that it may open.
//!
//! `limits` turns `linux.resources` into values for cgroup v2 files, `devices` turns the device rules into a program
//! that the kernel asks for each device; both are pure functions. `cgroup` makes the container's cgroup with them,
//! `update` changes its limits, `figures` reads what it has used, `interfaces` what went through its network; `rlimits` are
//! those of one process.
//! Called by `container`, `exec` and `helper`.

mod cgroup;
mod devices;
mod error;
mod figures;
mod interfaces;
mod io;
mod limits;
mod rlimits;
mod settings;
mod update;

#[cfg(test)]
pub(crate) use cgroup::check;
pub(crate) use cgroup::{CgroupTree, settle};
pub(crate) use error::ResourceError;
pub(crate) use figures::figures;
pub(crate) use interfaces::interfaces;
pub(crate) use rlimits::{make_room, process_limits, take_limits};
pub(crate) use settings::Limits;
pub(crate) use update::update;
