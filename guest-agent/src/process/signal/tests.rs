//! Tests of which numbers are signals.

use super::parse_signal;

#[test]
fn every_number_is_a_signal_or_refused() {
    let known: Vec<u32> = (0..100).filter(|&n| parse_signal(n).is_some()).collect();
    let expected: Vec<u32> = (1..32).chain(35..65).collect();
    assert_eq!(known, expected);
    assert!(parse_signal(u32::MAX).is_none());
}
