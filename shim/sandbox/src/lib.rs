//! One pod: its VM, its images and its containers.
#![forbid(unsafe_code)]
