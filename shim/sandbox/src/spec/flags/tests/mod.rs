//! Every option's grammar, what is said of values that do not fit, and what becomes of those that do.

mod grammar;
mod profile;
mod putting;
