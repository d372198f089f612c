//! The commands about containers that exist: each finds them by what lies in the pods' directories, and asks their owners.
//!
//! `ps` and `inspect` only read; `logs` reads and follows; `ending` is stop, kill, wait and rm; `hold` is pause and unpause;
//! `stats` asks for figures; `exec` is a process of its own in a container. `table` lays out what people read.

mod ending;
mod exec;
mod hold;
mod inspect;
mod logs;
mod ps;
mod stats;
mod table;

pub(crate) use ending::{kill, remove, stop, wait};
pub(crate) use exec::exec;
pub(crate) use hold::{pause, unpause};
pub(crate) use inspect::inspect;
pub(crate) use logs::logs;
pub(crate) use ps::ps;
pub(crate) use stats::stats;
