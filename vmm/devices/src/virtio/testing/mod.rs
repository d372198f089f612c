//! A driver that plays the guest in plain memory: for the tests of every device room, of other crates
//! (feature `testing`) and for fuzzing. Goes through the registers as Linux does.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test that cannot set up its guest has to fail"
)]

mod driver;
mod queue;

pub use driver::{CountingLine, FakeDriver};
pub use queue::{Buffer, FakeQueue, Used};
