//! Extended headers (POSIX pax): records of `length key=value\n`. Values may hold any byte, so only the length ends one.

/// A key and its value.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// Every record of an extended header; `None` when it is malformed.
pub(super) fn records(mut rest: &[u8]) -> Option<Vec<Record>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ')?;
        let digits = str::from_utf8(rest.get(..space)?).ok()?;
        let length: usize = digits.parse().ok()?;
        let record = rest.get(space + 1..length.checked_sub(1)?)?;
        if rest.get(length - 1) != Some(&b'\n') {
            return None;
        }
        let equals = record.iter().position(|byte| *byte == b'=')?;
        found.push((
            record.get(..equals)?.to_vec(),
            record.get(equals + 1..)?.to_vec(),
        ));
        rest = rest.get(length..)?;
    }
    Some(found)
}

/// The last value of a key.
pub(super) fn value<'a>(records: &'a [Record], key: &str) -> Option<&'a [u8]> {
    let found = records
        .iter()
        .rev()
        .find(|(name, _)| name == key.as_bytes());
    found.map(|(_, value)| value.as_slice())
}

/// A value that is a decimal number; `Some(None)` when it is there and no number.
pub(super) fn number(records: &[Record], key: &str) -> Option<Option<u64>> {
    value(records, key).map(|text| str::from_utf8(text).ok().and_then(|text| text.parse().ok()))
}
