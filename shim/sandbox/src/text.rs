//! An error and all its causes as one line, where it becomes words: in a fault that is kept, in a warning.

use std::error::Error;

/// The error's text, then each cause's, parted by colons.
#[must_use]
pub fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
