//! A pod: one machine, its containers, and the one task that owns their state.
//!
//! Called by the doors. Calls [`crate::machine`] and [`crate::agent`]. What a door asks, what the machine reports and what
//! the agent answers are messages in one queue; the tables in `owner/table.rs` say which of them is legal when.

mod control;
mod error;
mod handle;
mod launch;
mod network;
mod owner;
mod remains;
mod run_dir;
#[cfg(test)]
mod tests;
mod timeline;

pub use error::{MachineEnd, PodError};
pub use handle::{Pod, SCRATCH_SERIAL};
pub use launch::{Dirs, Disk, PodSpec, launch};
pub use network::create_tap;
pub use owner::ProcessExit;
#[cfg(test)]
pub(crate) use run_dir::VERSION as RECORD_VERSION;
pub(crate) use run_dir::{
    DOOR, Fate, ProcessMark, Record, Removal, kill_and_wait, read_record, remove_dead,
};
pub use run_dir::{Depth, Keep, PodName, Sweep, sweep};
#[cfg(test)]
pub(crate) use tests::peers;
pub use timeline::{Mark, Timeline};
