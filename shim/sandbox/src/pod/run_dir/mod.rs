//! The directory of a pod below /run/husk: its record and sockets, and what is done about those whose owner died.
//!
//! Called by the pod's launch, by `husk gc` and by [`crate::engine`]. Calls only [`crate::machine`] for the identity of
//! processes.

mod dir;
mod leftovers;
mod record;

pub(crate) use dir::{CONTROL, DOOR, PodDir, VSOCK};
pub use leftovers::{Depth, Sweep, sweep};
pub(crate) use leftovers::{Fate, Removal, kill_and_wait, remove_dead};
pub use record::{Keep, PodName};
pub(crate) use record::{ProcessMark, Record, file_error, read_record};
#[cfg(test)]
pub(crate) use record::{VERSION, maker_of};
