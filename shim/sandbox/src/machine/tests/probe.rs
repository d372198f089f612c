//! The probe's answer.

use husk_machine::api::config::KvmKind;
use proptest::prelude::*;

use crate::machine::probe::parse_answer;

#[test]
fn answer_with_details_is_read() {
    let text = br#"{"kind":"interpreting","ns_per_instruction":230,"cpu":"x"}"#;
    let host = parse_answer(text).unwrap();
    assert_eq!(host.kind, KvmKind::Interpreting);
    assert_eq!(host.ns_per_instruction, 230);
}

#[test]
fn answer_without_a_kind_is_refused_with_its_words() {
    let error = parse_answer(br#"{"ns_per_instruction":230}"#).unwrap_err();
    assert!(error.contains("kind"), "{error}");
}

proptest! {
    #[test]
    fn any_answer_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_answer(&bytes).ok();
    }
}
