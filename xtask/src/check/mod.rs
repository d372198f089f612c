//! `cargo xtask check`: what can be said about the code without a guest.
//!
//! - `stages`: the list of checks and how they are run and counted.
//! - `tests`: cargo's tests, and the counts in what they print.
//! - `layers`: the arrows between crates against `layers.toml`.
//! - `sizes`: limits of files, folders and error types; what must not be in the repository.
//! - `modules`: cycles between the modules of a crate.
//! - `source`: Rust source without comments and literals, for the checks that look at text.
//!
//! Lengths of functions, numbers of parameters and proofs of unsafe blocks are clippy's (`clippy.toml`, the lint table).
//! Called by `main` and `commands`.

mod layers;
mod modules;
mod sizes;
mod source;
mod stages;
mod tests;

pub(crate) use stages::{Tally, everything, without_guest};
pub(crate) use tests::{Count, run as run_tests};
