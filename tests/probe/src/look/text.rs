//! Words for what was found, the same on every kernel.

use std::{fs, io};

/// A file's content without the end of its last line, or why it cannot be read.
pub(super) fn file(path: &str) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\0'])
            .replace('\0', " "),
        Err(cause) => error(&cause),
    }
}

/// A failure, by the kernel's own words.
pub(super) fn error(cause: &io::Error) -> String {
    let words = cause.to_string();
    let words = words
        .split_once(" (os error")
        .map_or(words.as_str(), |(words, _)| words);
    format!("({words})")
}

/// What became of a try.
pub(super) fn outcome<T>(result: Result<T, impl Into<io::Error>>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(cause) => error(&cause.into()),
    }
}

/// Fields that the kernel separates by any number of blanks, separated by one.
pub(super) fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
