//! Docker's rules, row by row.

mod container;
mod exec;
mod seccomp;
mod shape;
mod user;
