//! Which field of a document an error is about, found from its line and column: a deserialiser that keeps the path
//! while it reads would be made once more for every type of the specification, 300 KiB of program.

/// Longest path that is told.
const MOST_BYTES: usize = 200;

/// What the reader stands in.
enum Level {
    /// An object, and the last name that was read in it.
    Object(String),
    /// A list, and the items before the present one.
    List(usize),
}

/// The path of what the reader has read last when it came to this place. Lines count from one, and so do the columns,
/// in bytes.
pub(super) fn at(json: &[u8], line: usize, column: usize) -> String {
    let before: usize = json
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let end = json.len().min(before.saturating_add(column));
    let mut rest = json.get(..end).unwrap_or_default();
    let mut levels = Vec::new();
    // The next string of the object is a name.
    let mut name_follows = false;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'"' => {
                let (text, after) = string(rest);
                rest = after;
                if let (true, Some(Level::Object(name))) = (name_follows, levels.last_mut()) {
                    *name = text;
                    name_follows = false;
                }
            }
            b'{' => {
                levels.push(Level::Object(String::new()));
                name_follows = true;
            }
            b'[' => {
                levels.push(Level::List(0));
                name_follows = false;
            }
            b'}' | b']' => {
                levels.pop();
                name_follows = false;
            }
            b',' => match levels.last_mut() {
                // An error that is placed behind a value is about that value.
                _ if rest.is_empty() => {}
                Some(Level::Object(_)) => name_follows = true,
                Some(Level::List(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
    }
    told(&levels)
}

/// A string whose quotation mark has been read, and what is behind it.
fn string(rest: &[u8]) -> (String, &[u8]) {
    let mut escaped = false;
    let end = rest.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    let length = end.unwrap_or(rest.len());
    let text = rest.get(..length.min(MOST_BYTES)).unwrap_or_default();
    let after = rest.get(length + 1..).unwrap_or_default();
    (String::from_utf8_lossy(text).into_owned(), after)
}

fn told(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        if path.len() > MOST_BYTES {
            path.push_str("...");
            break;
        }
        match level {
            Level::Object(name) if name.is_empty() => {}
            Level::Object(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
            }
            Level::List(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}
