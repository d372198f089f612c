//! One line of the log: when, which stream, what.

use serde::{Deserialize, Serialize};

use super::Instant;

/// Bytes of one entry before they are written as JSON; a longer line takes more than one.
pub(super) const MAX_BYTES: usize = 16 << 10;

/// A line of the file is no longer: every byte may need six characters.
pub(super) const MAX_LINE_BYTES: usize = 6 * MAX_BYTES + 128;

/// Where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What was written at once: a line with its end, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it arrived.
    pub time: Instant,
    /// Where it was written.
    pub source: LogSource,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// `log` as text; bytes that are none are in `hex` instead.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    time: String,
    stream: LogSource,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    log: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hex: Option<String>,
}

impl Entry {
    /// Whether a line ends with it.
    #[must_use]
    pub fn ends_line(&self) -> bool {
        self.bytes.last() == Some(&b'\n')
    }

    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let line: Line<'_> = serde_json::from_slice(line).ok()?;
        let bytes = match (line.log, line.hex) {
            (Some(text), None) => text.into_owned().into_bytes(),
            (None, Some(digits)) => hex::decode(digits).ok()?,
            _ => return None,
        };
        Some(Self {
            time: Instant::parse(&line.time).ok()?,
            source: line.stream,
            bytes,
        })
    }
}

/// Appends bytes of one moment as lines of the file.
pub(super) fn append(to: &mut Vec<u8>, time: Instant, source: LogSource, bytes: &[u8]) {
    let time = time.to_string();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        for part in line.chunks(MAX_BYTES) {
            let text = str::from_utf8(part).ok();
            let entry = Line {
                time: time.clone(),
                stream: source,
                log: text.map(Into::into),
                hex: text.is_none().then(|| hex::encode(part)),
            };
            // Texts and numbers only: nothing in there cannot be written.
            if serde_json::to_writer(&mut *to, &entry).is_ok() {
                to.push(b'\n');
            }
        }
    }
}
