//! One pod: its VM, its images and its containers.
#![forbid(unsafe_code)]

pub mod host;
pub mod images;
pub mod spec;
