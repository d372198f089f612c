//! The command line keeps its limits.

use super::{Cmdline, CmdlineError, MAX_BYTES};

#[test]
fn words_are_separated_by_one_space() {
    let mut line = Cmdline::new();
    line.words("  quiet\tpanic=-1 \n").unwrap();
    line.virtio_mmio(0xd000_0000, 5).unwrap();
    assert_eq!(
        line.as_str(),
        "quiet panic=-1 virtio_mmio.device=4K@0xd0000000:5"
    );
}

#[test]
fn second_word_with_the_same_key_is_refused() {
    let mut line = Cmdline::new();
    line.word("a-b=1").unwrap();
    let refused = line.word("a_b=2").unwrap_err();
    assert_eq!(refused, CmdlineError::Duplicate("a_b".to_owned()));
    assert_eq!(line.as_str(), "a-b=1");
}

#[test]
fn devices_may_repeat() {
    let mut line = Cmdline::new();
    line.virtio_mmio(0xd000_0000, 5).unwrap();
    line.virtio_mmio(0xd000_1000, 5).unwrap();
    assert_eq!(line.as_str().matches("virtio_mmio.device").count(), 2);
}

#[test]
fn line_at_the_limit_is_taken_and_one_more_byte_refused() {
    let mut line = Cmdline::new();
    line.word(&"x".repeat(MAX_BYTES)).unwrap();
    assert_eq!(line.word("y"), Err(CmdlineError::TooLong(MAX_BYTES + 2)));
    let mut line = Cmdline::new();
    let refused = line.word(&"x".repeat(MAX_BYTES + 1));
    assert_eq!(refused, Err(CmdlineError::TooLong(MAX_BYTES + 1)));
}

#[test]
fn word_with_space_or_control_character_is_refused() {
    for word in ["", "a b", "a\0b", "a\nb", "ä"] {
        let mut line = Cmdline::new();
        let refused = line.word(word).unwrap_err();
        assert_eq!(refused, CmdlineError::BadWord(word.to_owned()));
    }
}
