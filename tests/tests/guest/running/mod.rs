//! What can be done with a container while it runs: its limits changed, its figures read, its processes held.

mod memory_kill;
mod shell;
mod update;

pub(super) use memory_kill::children_and_the_first_process;
pub(super) use update::limits_figures_and_standstill;
