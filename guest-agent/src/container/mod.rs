//! Containers: from disks and a specification to processes, and back to nothing.
//!
//! `table` owns every container's state; `create`, `run` and `remove` are its verbs. `rootfs`, `files`, `users`, `spec`
//! and `cgroup` each do one part. Called by `service`; may use `process`, `stream` and `guest`.

mod cgroup;
mod create;
mod error;
mod files;
mod rootfs;
mod run;
mod spec;
mod table;
mod users;

pub(crate) use error::ContainerError;
pub(crate) use run::{Listed, Progress};
pub(crate) use table::{Agent, ProcessKey};
