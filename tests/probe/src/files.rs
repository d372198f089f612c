//! `probe read PATH...`: what files hold.

use std::{
    fs,
    io::{self, Write as _},
};

use serde_json::{Map, Value};

/// Longest content that is told.
const MOST_BYTES: usize = 4096;

/// Writes one line of JSON: each path with its content, or with why it cannot be read.
pub(crate) fn read(paths: &[&str]) -> io::Result<()> {
    let content = |path: &str| match fs::read(path) {
        Ok(mut bytes) => {
            bytes.truncate(MOST_BYTES);
            String::from_utf8_lossy(&bytes).trim_end().to_owned()
        }
        Err(cause) => format!("({cause})"),
    };
    let told: Map<String, Value> = paths
        .iter()
        .map(|path| ((*path).to_owned(), content(path).into()))
        .collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{}", Value::from(told))?;
    out.flush()
}
