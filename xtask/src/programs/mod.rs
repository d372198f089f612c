//! `cargo xtask programs`: real programs from Debian's packages, each in a microVM of its own, asked something and stopped.
//!
//! - `recipe`: what a program is, from its file in `tests/programs`.
//! - `image`: the image that its packages and files make, kept in a cache.
//! - `container`: a container of `husk` in the background, and what is done with it.
//! - `lines`: waiting for a line of a log.
//! - `peer`: the same program under runc on this host.
//! - `trial`: one program from start to nothing left.
//! - `report`: what came of it, for people and for programs.
//! - `run`: all of them.
//!
//! Called by `main` and `commands`.

mod container;
mod image;
mod lines;
mod peer;
mod recipe;
mod report;
mod run;
mod trial;

pub(crate) use run::{Options, run, tested};
