//! Patterns, and tables that are none.

use super::{Difference, Explanations, matches};

#[test]
fn pattern_fits_the_whole_text_or_nothing() {
    for (pattern, text, fits) in [
        ("", "", true),
        ("", "a", false),
        ("a", "a", true),
        ("a", "ab", false),
        ("*", "", true),
        ("*", "anything", true),
        ("a*", "abc", true),
        ("a*", "ba", false),
        ("*c", "abc", true),
        ("*c", "abcd", false),
        ("a*c", "ac", true),
        ("a*c", "abbc", true),
        ("a*a", "a", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c", false),
        ("*b*", "abc", true),
        ("*b*", "ac", false),
        ("ab*bc", "abc", false),
    ] {
        assert_eq!(matches(pattern, text), fits, "{pattern:?} {text:?}");
    }
}

const PAGE: &str = "# Page\n\n## Beside runc\n\nWords.\n\n| a | b | c | d | e |\n|---|---|---|---|---|\n\
    | `one` `two` | `x.*` | `1` | any `*` | because |\n| `*` | `y` | `-` | `2` | for it |\n\n| no | row |\n";

fn difference(
    case: &'static str,
    fact: &str,
    runc: Option<&str>,
    husk: Option<&str>,
) -> Difference {
    Difference {
        case,
        fact: fact.to_owned(),
        runc: runc.map(str::to_owned),
        husk: husk.map(str::to_owned),
    }
}

#[test]
fn difference_is_explained_only_by_a_row_that_fits_in_all_columns() {
    let table = Explanations::read(PAGE).unwrap();
    assert_eq!(table.rows().count(), 2);
    let why = |difference| table.of(&difference).map(|row| row.why.clone());
    assert_eq!(
        why(difference("two", "x.z", Some("1"), Some("9"))).unwrap(),
        "because"
    );
    assert_eq!(
        why(difference("any", "y", None, Some("2"))).unwrap(),
        "for it"
    );
    for other in [
        difference("three", "x.z", Some("1"), Some("9")),
        difference("two", "z", Some("1"), Some("9")),
        difference("two", "x.z", Some("2"), Some("9")),
        difference("any", "y", Some("1"), Some("2")),
    ] {
        assert_eq!(why(other.clone()), None, "{other}");
    }
}

#[test]
fn table_that_cannot_be_read_is_refused() {
    for (page, words) in [
        ("# Page\n", "has no section"),
        ("## Beside runc\nwords\n", "has no table"),
        (
            "## Beside runc\n| a |\n|---|\n| `a` | `b` |\n",
            "has 2 cells",
        ),
        (
            "## Beside runc\n| a |\n|---|\n| a | `b` | `c` | `d` | e |\n",
            "without a pattern",
        ),
    ] {
        let error = Explanations::read(page).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
