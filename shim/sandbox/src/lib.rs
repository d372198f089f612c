//! One pod: its VM, its images and its containers.
#![forbid(unsafe_code)]

pub mod agent;
pub mod artefacts;
pub mod engine;
pub mod host;
pub mod images;
pub mod machine;
pub mod pod;
pub mod settings;
pub mod spec;
pub mod text;
