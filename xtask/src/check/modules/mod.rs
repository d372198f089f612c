//! No two sibling modules of a crate may need each other, directly or through others.
//!
//! - `uses`: the paths that a file names.
//! - `graph`: files, edges between siblings, cycles.
//!
//! What a module shares with its parent is not looked at: a parent's re-exports are followed to the child that they name.

mod graph;
mod uses;

pub(super) use graph::check;
