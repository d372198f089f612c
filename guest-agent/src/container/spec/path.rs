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

/// Which value an error is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// What the reader has read last.
    Behind,
    /// What it was about to read.
    Ahead,
}

/// What a deserialiser says of a document, with the field that it says it of.
pub(super) fn told(json: &[u8], error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    // The reader stands on the first byte of what is not one of the words that it knows, and says nothing of it.
    if text.starts_with("expected value at ")
        && let Some(column) = column.checked_sub(1)
        && let Some(value) = value(json, position(json, line, column))
    {
        let path = before(at(json, line, column, About::Ahead));
        let place = text.trim_start_matches("expected value ");
        return format!("{path}{value} is none of the words for it, {place}");
    }
    let opens = ["invalid type: sequence", "invalid type: map"];
    let about = match opens.iter().any(|kind| text.starts_with(kind)) {
        true => About::Ahead,
        false => About::Behind,
    };
    format!("{}{text}", before(at(json, line, column, about)))
}

fn before(path: String) -> String {
    match path {
        path if path.is_empty() => path,
        path => format!("{path}: "),
    }
}

/// Lines count from one, and so do the columns, in bytes.
fn position(json: &[u8], line: usize, column: usize) -> usize {
    let before: usize = json
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    json.len().min(before.saturating_add(column))
}

/// The value that begins here, if it is one that JSON has.
fn value(json: &[u8], start: usize) -> Option<String> {
    let (read, rest) = json.split_at_checked(start)?;
    match rest.first()? {
        b'}' if read.trim_ascii_end().ends_with(b"{") => return Some("an empty object".to_owned()),
        b'[' => return Some("a list".to_owned()),
        b'{' => return Some("an object".to_owned()),
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {}
        _ => return None,
    }
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let word = rest.iter().take(MOST_BYTES).copied().take_while(word);
    String::from_utf8(word.collect()).ok()
}

/// The path of the value about which the reader stopped at this place.
pub(super) fn at(json: &[u8], line: usize, column: usize, about: About) -> String {
    let mut rest = json.get(..position(json, line, column)).unwrap_or_default();
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
                _ if rest.is_empty() && about == About::Behind => {}
                Some(Level::Object(_)) => name_follows = true,
                Some(Level::List(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
    }
    written(&levels)
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

fn written(levels: &[Level]) -> String {
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
