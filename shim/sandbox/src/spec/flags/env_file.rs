//! `--env` and `--env-file`.

/// One `-e`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvOption {
    /// `-e NAME=value`.
    Set(String, String),
    /// `-e NAME`: from the caller's own environment, left out when it is not set there.
    Inherit(String),
}

/// Variables, one a line: `NAME=value` as it stands, or `NAME` alone for the caller's own value. Empty lines and lines that
/// begin with `#` say nothing.
///
/// # Errors
/// A line that is neither, with its number.
pub fn env_file(content: &[u8]) -> Result<Vec<EnvOption>, String> {
    // Some editors begin a file with a byte order mark.
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut found = Vec::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let at = index + 1;
        let line = str::from_utf8(line).map_err(|_| format!("line {at} is not UTF-8"))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (line, None),
        };
        if name.is_empty() {
            return Err(format!("line {at}: no variable name in {line:?}"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("line {at}: variable {name:?} contains whitespace"));
        }
        found.push(match value {
            Some(value) => EnvOption::Set(name.to_owned(), value.to_owned()),
            None => EnvOption::Inherit(name.to_owned()),
        });
    }
    Ok(found)
}
