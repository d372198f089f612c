//! Tests of the line's words.

use std::time::Duration;

use husk_sandbox::images::{Progress, Stage};

use super::{boot_text, image_text};

#[test]
fn image_shows_what_is_known() {
    let at = |done, total| {
        image_text(Progress {
            stage: Stage::Unpacking,
            done,
            total,
        })
    };
    assert_eq!(at(0, 0), "image: unpacking");
    assert_eq!(at(5 << 20, 0), "image: unpacking 5 MiB");
    assert_eq!(at(5 << 20, 9 << 20), "image: unpacking 5 of 9 MiB");
}

#[test]
fn machine_shows_instructions_where_they_are_counted() {
    let seconds = Duration::from_secs(3);
    assert_eq!(
        boot_text("guest started", 0, seconds),
        "machine: guest started, 3 s"
    );
    assert_eq!(
        boot_text("guest started", 12_340_000, seconds),
        "machine: guest started, 12.3 million kernel instructions, 3 s"
    );
}
