//! `probe look`: everything that a process can see of the container around it, as one line of JSON.
//!
//! - `report`: the document.
//! - `process`: what /proc says of the process; `limits` and sets included.
//! - `mounts`: the mount table; `nodes`: devices and the paths that engines hide.
//! - `resources`: cgroup limits, of either cgroup version in the same words.
//! - `terminal`: the standard streams.
//! - `tries`: what the kernel lets the process do. Nothing that is tried changes the machine.
//!
//! Called by `main`.

mod mounts;
mod nodes;
mod process;
mod report;
mod resources;
mod terminal;
mod text;
mod tries;

pub(crate) use report::report;
