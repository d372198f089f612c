//! Tests of what signals ask for.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{GRACE, Wish, exit_code, judge};

#[test]
fn second_interrupt_within_the_grace_kills() {
    let (mut asked, now) = (None, Instant::now());
    assert_eq!(
        judge(&mut asked, Signal::INT, now),
        Wish::Forward(Signal::INT)
    );
    assert_eq!(
        judge(&mut asked, Signal::INT, now + GRACE),
        Wish::Kill(Signal::INT)
    );
}

#[test]
fn second_interrupt_after_the_grace_is_passed_on() {
    let (mut asked, now) = (None, Instant::now());
    judge(&mut asked, Signal::INT, now);
    let later = now + GRACE + Duration::from_millis(1);
    assert_eq!(
        judge(&mut asked, Signal::INT, later),
        Wish::Forward(Signal::INT)
    );
}

#[test]
fn other_signals_are_always_passed_on() {
    let (mut asked, now) = (None, Instant::now());
    for _ in 0..3 {
        let wish = judge(&mut asked, Signal::TERM, now);
        assert_eq!(wish, Wish::Forward(Signal::TERM));
    }
}

#[test]
fn exit_code_is_128_and_the_signal() {
    assert_eq!(exit_code(Signal::INT), 130);
    assert_eq!(exit_code(Signal::KILL), 137);
}
