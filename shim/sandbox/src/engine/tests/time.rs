//! Moments, written and read.

use proptest::prelude::*;

use crate::engine::Instant;

#[test]
fn moments_are_written_in_utc() {
    assert_eq!(Instant(0).to_string(), "1970-01-01T00:00:00.000000000Z");
    let leap = Instant(1_709_210_096_123_456_789);
    assert_eq!(leap.to_string(), "2024-02-29T12:34:56.123456789Z");
}

#[test]
fn zones_and_fractions_are_understood() {
    let utc = Instant::parse("2024-02-29T12:34:56Z").unwrap();
    for text in [
        "2024-02-29T14:34:56+02:00",
        "2024-02-29 07:04:56.0-05:30",
        "1709210096",
        "1709210096.000",
    ] {
        assert_eq!(Instant::parse(text).unwrap(), utc, "{text}");
    }
}

#[test]
fn times_ago_add_up() {
    let before = Instant::now().0 - 5_430_000_000_000;
    let ago = Instant::parse("1h30m30s").unwrap().0;
    assert!(ago.abs_diff(before) < 60_000_000_000, "{ago} {before}");
}

#[test]
fn what_is_no_moment_is_refused_by_value() {
    for text in [
        "",
        "x",
        "1h30",
        "2024-13-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01",
        "99999999999999999999h",
    ] {
        let error = Instant::parse(text).unwrap_err();
        assert!(error.starts_with(&format!("{text:?}")), "{error}");
    }
}

proptest! {
    #[test]
    fn moment_that_is_written_is_read_back(ns in 0..4_102_444_800_000_000_000_u64) {
        let moment = Instant(ns);
        prop_assert_eq!(Instant::parse(&moment.to_string()).unwrap(), moment);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,40}") {
        Instant::parse(&text).ok();
    }
}
