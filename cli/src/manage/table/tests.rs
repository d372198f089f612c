//! Tests of what people read.

use std::time::Duration;

use super::{short, span, table};

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let rows = [
        ["1".to_owned(), "b".to_owned()],
        ["333".to_owned(), String::new()],
    ];
    assert_eq!(table(["A", "BB"], &rows), "A     BB\n1     b\n333\n");
}

#[test]
fn control_characters_of_a_name_become_blanks() {
    let rows = [["a\x1b[2J\nb".to_owned()]];
    assert_eq!(table(["X"], &rows), "X\na [2J b\n");
}

#[test]
fn text_that_is_too_long_ends_in_dots() {
    assert_eq!(short("abcdefgh", 8), "abcdefgh");
    assert_eq!(short("abcdefghi", 8), "abcde...");
}

#[test]
fn spans_are_in_the_unit_that_people_would_take() {
    let said = [
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_200, "2 hours"),
        (180_000, "2 days"),
    ];
    for (seconds, text) in said {
        assert_eq!(span(Duration::from_secs(seconds)), text);
    }
}
