//! What a container may use: the files of its cgroup and the devices that it may open.
//!
//! `limits` turns `linux.resources` into values for cgroup v2 files, `devices` turns the device rules into a program
//! that the kernel asks for each device; both are pure functions. `cgroup` makes the container's cgroup with them.
//! Called by `container`.

mod cgroup;
mod devices;
mod error;
mod io;
mod limits;
mod settings;

pub(crate) use cgroup::{CgroupTree, settle};
pub(crate) use error::ResourceError;
pub(crate) use settings::Limits;
