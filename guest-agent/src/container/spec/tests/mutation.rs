//! Real specifications with one thing changed: whatever it is, the translation answers, in one line that names a field.

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
        match adapted_json(&spec) {
            Ok(adapted) => {
                if let Some(resources) = &adapted.resources {
                    let _ = crate::resources::check(resources).map_err(|error| one_line(&error.to_string()));
                }
            }
            Err(error) => one_line(&error.to_string()),
        }
    }

    #[test]
    fn bytes_that_are_no_specification_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let place = super::Place { rootfs: super::Path::new("/r"), cgroup: super::Path::new("/c"), read_only: false, shared: Default::default() };
        prop_assert!(super::adapt(&bytes, place).is_err());
    }
}

fn one_line(told: &str) {
    assert!(!told.is_empty() && !told.contains('\n'), "{told:?}");
}
