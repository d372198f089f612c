//! Docker's rules, row by row.

mod container;
mod shape;
mod user;
