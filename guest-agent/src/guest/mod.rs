//! The machine that the agent is PID 1 of: doorbells, mounts of its own, disks, clock, the end of the machine.
//!
//! Called by `main` at the start and by `container` and `service` later. Nothing here knows containers.

mod allowances;
mod clock;
mod disk_news;
mod disks;
mod doorbell;
mod mounts;
mod power;

pub(crate) use clock::{monotonic_us, set_wall_clock};
pub(crate) use disks::{DiskError, Serial, find_disk};
pub(crate) use doorbell::ring;
pub(crate) use mounts::{RUN, prepare};
pub(crate) use power::{reset, write_back};
