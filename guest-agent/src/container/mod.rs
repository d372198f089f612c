//! Containers: from disks and a specification to processes, and back to nothing.
//!
//! `table` owns every container's state; `verbs` are what the host can ask of them. `rootfs`, `files`, `users`, `ids`,
//! `spec` and `cgroup` each do one part, `refused` tells which mount option the kernel did not take. Called by `service`;
//! may use `process`, `stream` and `guest`.

mod cgroup;
mod error;
mod files;
mod ids;
mod refused;
mod rootfs;
mod spec;
mod table;
mod users;
mod verbs;

pub(crate) use error::ContainerError;
pub(crate) use table::{Agent, Process, ProcessKey};
pub(crate) use verbs::{Listed, Progress};
