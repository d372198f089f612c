//! A boot file as the configuration names it.

use std::fs::File;

/// An open file with what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct BootImage<'a> {
    /// Read by position: its offset is neither used nor moved.
    pub file: &'a File,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: &'a str,
    /// For error texts.
    pub name: &'a str,
}
