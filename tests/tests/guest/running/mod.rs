//! What can be done with a container while it runs: its limits changed, its figures read, its processes held; and what it
//! can do to others.

mod greed;
mod memory_kill;
mod shell;
mod update;

pub(super) use greed::greed;
pub(super) use memory_kill::children_and_the_first_process;
pub(super) use update::limits_figures_and_standstill;
