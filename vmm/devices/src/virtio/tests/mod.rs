//! Tests of the transport and of what devices share, by a driver in plain memory.

mod echo;
mod registers;
mod requests;
mod saved;
