//! Tests of what guests can do to a terminal: nothing.

use super::{clean, last_lines};

#[test]
fn control_characters_of_a_guest_become_blanks() {
    assert_eq!(clean("a\x1b[2Jb\r\n"), "a [2Jb");
}

#[test]
fn only_the_last_lines_of_a_console_are_shown() {
    let text: String = (0..1000).map(|n| format!("line {n}\r\n\n")).collect();
    let shown = last_lines("console", &text);
    assert_eq!(shown.lines().count(), 40);
    assert_eq!(shown.lines().last(), Some("console| line 999"));
}

#[test]
fn silent_console_shows_nothing() {
    assert_eq!(last_lines("console", " \n"), "");
}
