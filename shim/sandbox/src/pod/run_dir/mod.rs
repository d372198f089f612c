//! The directory of a pod below /run/husk: its record and sockets, and what is done about those whose owner died.
//!
//! Called by the pod's launch and by `husk gc`. Calls only [`crate::machine`] for the identity of processes.

mod leftovers;
mod record;

pub use leftovers::{Sweep, sweep};
pub use record::PodName;
pub(crate) use record::{PodDir, file_error};
#[cfg(test)]
pub(crate) use record::{ProcessMark, Record, maker_of, read_record};
