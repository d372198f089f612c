//! What a container left, as facts by name.

use std::collections::BTreeMap;

use serde_json::Value;

/// Facts by dotted name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(pub BTreeMap<String, String>);

impl Seen {
    /// The only fact of a container that was not made or not started.
    pub(super) const ERROR: &str = "error";

    /// Of a container that could not be made or started.
    #[must_use]
    pub(super) fn failed(why: &str) -> Self {
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        Self([(Self::ERROR.to_owned(), why)].into())
    }

    /// Of one that ran: the probe's document fact by fact, or whatever else it wrote.
    #[must_use]
    pub(super) fn ended(code: i32, stdout: &[u8], stderr: &[u8]) -> Self {
        let mut facts = BTreeMap::from([("exit".to_owned(), code.to_string())]);
        match serde_json::from_slice(stdout) {
            Ok(document @ Value::Object(_)) => flatten("", &document, &mut facts),
            _ => {
                let text = String::from_utf8_lossy(stdout);
                facts.insert("stdout".to_owned(), text.trim_end().replace('\n', "; "));
            }
        }
        let text = String::from_utf8_lossy(stderr);
        facts.insert("stderr".to_owned(), text.trim_end().replace('\n', "; "));
        Self(facts)
    }
}

fn flatten(name: &str, value: &Value, facts: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = match name {
                    "" => field.clone(),
                    name => format!("{name}.{field}"),
                };
                flatten(&name, value, facts);
            }
        }
        Value::String(text) => {
            facts.insert(name.to_owned(), text.clone());
        }
        other => {
            facts.insert(name.to_owned(), other.to_string());
        }
    }
}
