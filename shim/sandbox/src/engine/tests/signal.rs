//! Signals by name.

use crate::engine::signal_number;

#[test]
fn names_in_all_their_forms_are_known() {
    let known = [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigterm", 15),
        ("15", 15),
        ("SIGRTMIN+3", 37),
        ("RTMIN", 34),
        ("SIGRTMAX-1", 63),
        ("RTMAX", 64),
        ("SIGWINCH", 28),
    ];
    for (name, number) in known {
        assert_eq!(signal_number(name), Some(number), "{name}");
    }
}

#[test]
fn what_is_no_signal_is_not_taken_for_one() {
    for name in [
        "",
        "SIG",
        "0",
        "65",
        "-1",
        "99999999999",
        "NOPE",
        "RTMIN+31",
        "RTMAX-31",
        "RTMIN-1",
        "RTMIN+4294967295",
    ] {
        assert_eq!(signal_number(name), None, "{name}");
    }
}
