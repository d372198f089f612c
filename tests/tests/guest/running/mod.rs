//! What happens to a container while it runs.

mod memory_kill;
mod shell;

pub(super) use memory_kill::children_and_the_first_process;
