//! The same specifications under runc on the host and in a guest, and what differs.
//!
//! - `case`: one specification by name, and what is done to its container.
//! - `base`: what all specifications start from; `cases`: all variations.
//! - `seen`: what a container left, as facts by name.
//! - `runc`, `guest`: the two ways to run a case.
//! - `difference`: facts that are not equal; `explained`: the table of docs/limits.md that says why.
//!
//! Called by the program `husk-compare` (`cargo xtask compare`) and by a check of the shared guest.

mod base;
mod case;
mod cases;
mod difference;
mod explained;
mod guest;
mod runc;
mod seen;

pub use case::{Act, Case};
pub use cases::all;
pub use difference::{Difference, differences};
pub use explained::{Explanations, Row};
pub use guest::in_guest;
pub use runc::Runc;
pub use seen::Seen;
