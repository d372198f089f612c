//! Tests of the pod: every cell of its tables, its names and records, its leftovers, its processes, its end, its timeline.

mod end;
mod leftovers;
mod owner;
pub(crate) mod peers;
mod processes;
mod record;
mod table;
mod timeline;
