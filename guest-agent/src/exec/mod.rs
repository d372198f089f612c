//! Starts another process in a running container by hand: no helper program, no libcontainer.
//!
//! `plan` is a pure function from the OCI process object to everything that the new process will be. `spawn` makes it in
//! two steps: a `vfork`ed child joins the container's namespaces, which takes effect for its children only where process
//! numbers are concerned, and makes the process itself as its sibling, in the container's cgroup from its first
//! instruction. `child` is what that process does before `execve`: it has a copy of the agent's memory and allocates
//! nothing. `outcome` carries what went wrong back, and its words.
//!
//! Until its `execve` the process can be seen by the container: it shares no memory with the agent (that is why it is
//! forked and not `vfork`ed, and why nobody waits for it), and has no descriptor and no directory of the agent's.
//!
//! Called by `container`; may use `process` and `seccomp`.

mod child;
mod outcome;
mod plan;
mod spawn;
mod strings;

pub(crate) use child::Target;
pub(crate) use plan::{Inherited, Plan};
pub(crate) use spawn::{SpawnError, Spawned, open_cgroup, spawn};
