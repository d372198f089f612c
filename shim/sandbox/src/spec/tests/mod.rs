//! Docker's rules, row by row.

mod container;
mod seccomp;
mod shape;
mod user;
