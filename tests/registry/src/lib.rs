//! A registry on loopback for tests: it serves images that the test makes, asks who comes, and misbehaves on demand.
//!
//! `content` is what it has, `server` whom it lets in and what it answers in `http`, `faults` what goes wrong. One thread a connection, one
//! request a connection.
#![forbid(unsafe_code)]

mod content;
mod faults;
mod http;
mod server;

pub use content::image_layers;
pub use faults::Fault;
pub use http::Request;
pub use server::{Access, Registry};
