//! The small init: a program of two pages (folder `init` beside `src`), carried by the agent.
//!
//! `program` (an unsafe room: it executes) puts it into memory that nobody can write any more; it is executed from there, so no container has it as a
//! file. Called by `pod`, whose process namespace it holds, and by `helper`, for containers that want one; may use
//! nothing.

mod program;
#[cfg(test)]
mod tests;

pub(crate) use program::{NAME, become_program, program};
