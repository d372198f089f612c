//! `SHA256SUMS`, in the format of sha256sum(1): 64 hexadecimal digits, a blank, a blank or `*`, the name.

use std::collections::HashMap;

/// Names and digests (lower case).
///
/// # Errors
/// The number of the first line that is not of the format.
pub(super) fn parse(text: &str) -> Result<HashMap<String, String>, usize> {
    let mut sums = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() {
            continue;
        }
        let (name, digest) = parse_line(line).ok_or(index + 1)?;
        sums.insert(name.to_owned(), digest.to_ascii_lowercase());
    }
    Ok(sums)
}

fn parse_line(line: &str) -> Option<(&str, &str)> {
    let (digest, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    (is_digest && !name.is_empty()).then_some((name, digest))
}
