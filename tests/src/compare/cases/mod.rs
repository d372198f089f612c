//! How the compared specifications differ from the base.
//!
//! - `list`: all of them, in their order.
//! - `process`: identity, rights and environment of the process; `endings`: how it starts and ends.
//! - `isolation`: namespaces, system calls, hidden paths, parameters; `files`: mounts and devices; `limits`: cgroups.

mod endings;
mod files;
mod isolation;
mod limits;
mod list;
mod process;

pub use list::all;
