//! Real specifications with something changed: whatever it is, the translation answers, in one line. What was changed
//! alone is named in it, with its value. The translation is a pure function: what it refuses has started nothing.

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use super::real::{adapted_json, all};

/// Every place in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                places(
                    field,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop_oneof![
            Just(""),
            Just("/"),
            Just(".."),
            Just("/../.."),
            Just("\0"),
            Just("a\nb"),
            Just("-1"),
            Just("max"),
            Just("CAP_SYS_ADMIN"),
            Just("ext4"),
            Just("/run/husk/volumes/x"),
            Just("user"),
        ]
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null])),
        (0_usize..4000).prop_map(|length| Value::from("x".repeat(length))),
        (0_usize..200).prop_map(|depth| (0..depth).fold(json!(1), |inner, _| json!([inner]))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn r15_changed_specification_is_taken_or_refused_in_one_line(
        which in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), replacement()), 1..4),
    ) {
        let specs = all();
        let mut spec = which.get(&specs).clone();
        for (place, value) in changes {
            let mut found = Vec::new();
            places(&spec, "", &mut found);
            if let Some(target) = spec.pointer_mut(place.get::<String>(&found)) {
                *target = value;
            }
        }
        if let Err(told) = judged(&spec) {
            prop_assert!(!told.is_empty() && !told.contains('\n'), "{told:?}");
        }
    }

    #[test]
    fn r15_one_changed_field_is_refused_by_its_name_and_value(
        which in any::<Index>(),
        place in any::<Index>(),
        value in replacement(),
    ) {
        let specs = all();
        let mut spec = which.get(&specs).clone();
        let mut found = Vec::new();
        places(&spec, "", &mut found);
        let place = place.get::<String>(&found);
        *spec.pointer_mut(place).unwrap() = value.clone();
        if let Err(told) = judged(&spec) {
            let change = Change { path: dotted(place), value };
            prop_assert!(change.is_named(&told), "{}: {told}", change.path);
            prop_assert!(change.is_quoted(&told), "{} = {}: {told}", change.path, change.value);
        }
    }

    #[test]
    fn bytes_that_are_no_specification_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(super::adapt(&bytes, place()).is_err());
    }

    /// What is no JSON has no field to name: it is told where it ends to be one.
    #[test]
    fn torn_specification_is_refused_by_line_and_column(which in any::<Index>(), at in any::<Index>()) {
        let specs = all();
        let text = serde_json::to_vec_pretty(which.get(&specs)).unwrap();
        let torn = &text[..at.index(text.len())];
        let told = super::adapt(torn, place()).unwrap_err().to_string();
        let line = torn.split(|byte| *byte == b'\n').count();
        let near = (line.saturating_sub(1)..=line).any(|line| told.contains(&format!("line {line} column ")));
        prop_assert!(near, "line {line}: {told}");
    }
}

fn place() -> super::Place<'static> {
    super::Place {
        rootfs: super::Path::new("/r"),
        cgroup: super::Path::new("/c"),
        read_only: false,
        shared: super::Kinds::default(),
    }
}

/// What is said against a specification.
fn judged(spec: &Value) -> Result<(), String> {
    let adapted = adapted_json(spec).map_err(|error| error.to_string())?;
    match &adapted.resources {
        Some(resources) => crate::resources::check(resources).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}

/// `/process/rlimits/0/hard` as messages write it: `process.rlimits[0].hard`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => path.push_str(&format!("[{index}]")),
            Err(_) if path.is_empty() => path.push_str(part),
            Err(_) => path.push_str(&format!(".{part}")),
        }
    }
    path
}

struct Change {
    path: String,
    value: Value,
}

impl Change {
    /// By its path; an item of a list by the list; a field by what it is in and its own name, in the singular as well
    /// (`mounts[3] at /dev: option "ext4"`).
    fn is_named(&self, told: &str) -> bool {
        let whole = match self.path.strip_suffix(']') {
            Some(item) => item.rsplit_once('[').map_or(item, |(list, _)| list),
            None => &self.path,
        };
        let (above, name) = whole.rsplit_once('.').unwrap_or(("", whole));
        told.contains(whole)
            || (told.contains(above) && told.contains(name.trim_end_matches('s')))
            || self.is_missed(told)
    }

    /// What asks for a namespace is refused when that is gone, and what must not be without one, too.
    fn is_missed(&self, told: &str) -> bool {
        let namespaces = ["linux", "linux.namespaces"];
        let changed =
            self.path.starts_with("linux.namespaces[") || namespaces.contains(&&*self.path);
        let user = self.value == "user" && told.starts_with("linux.uidMappings: ");
        changed && (user || told.contains("without a"))
    }

    /// Its value, or what is said of one that has no words: what of it is missing, or which part of it is wrong.
    fn is_quoted(&self, told: &str) -> bool {
        let below = |sign: char| told.contains(&format!("{}{sign}", self.path));
        let (kinds, plain): (&[&str], _) = match &self.value {
            Value::Null => (
                &[
                    "null", "missing", "empty", "has no ", ": no ", "without", "\"\"",
                ],
                "null".to_owned(),
            ),
            Value::Array(_) | Value::Object(_)
                if below('[') || below('.') || self.path.is_empty() =>
            {
                return true;
            }
            Value::Array(_) => (
                &["sequence", "list", "length", "empty", "has no "],
                "[]".to_owned(),
            ),
            Value::Object(_) => (
                &["map", "object", "missing", "empty", "has no "],
                "{}".to_owned(),
            ),
            Value::String(text) => {
                let start: String = text.chars().take(20).collect();
                let one_line = |letter: char| match letter.is_control() {
                    true => letter.escape_default().to_string(),
                    false => letter.to_string(),
                };
                // A reader quotes it as it is, a rule as a literal.
                if told.contains(&start.chars().map(one_line).collect::<String>()) {
                    return true;
                }
                (&[], format!("{start:?}").trim_matches('"').to_owned())
            }
            // The reader's last digit may be another one.
            Value::Number(number) if number.is_f64() => (&["floating point"], number.to_string()),
            other => (&[], other.to_string()),
        };
        let octal = self.value.as_u64().map(|value| format!("{value:#o}"));
        told.contains(&plain)
            || octal.is_some_and(|octal| told.contains(&octal))
            || kinds.iter().any(|kind| told.contains(kind))
            || self.is_missed(told)
    }
}
