//! Tests of what signals ask for.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{GRACE, Wish, exit_code, judge};

#[test]
fn second_signal_of_a_kind_within_the_grace_kills() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut asked, now) = (None, Instant::now());
        assert_eq!(judge(&mut asked, signal, now), Wish::Forward(signal));
        let again = judge(&mut asked, signal, now + GRACE);
        assert_eq!(again, Wish::Kill(signal));
    }
}

#[test]
fn second_signal_after_the_grace_is_passed_on() {
    let (mut asked, now) = (None, Instant::now());
    judge(&mut asked, Signal::INT, now);
    let later = now + GRACE + Duration::from_millis(1);
    assert_eq!(
        judge(&mut asked, Signal::INT, later),
        Wish::Forward(Signal::INT)
    );
}

#[test]
fn one_of_each_is_passed_on() {
    let (mut asked, now) = (None, Instant::now());
    for signal in [Signal::INT, Signal::TERM, Signal::INT, Signal::QUIT] {
        assert_eq!(judge(&mut asked, signal, now), Wish::Forward(signal));
    }
}

#[test]
fn other_signals_are_always_passed_on() {
    let (mut asked, now) = (None, Instant::now());
    for _ in 0..3 {
        let wish = judge(&mut asked, Signal::HUP, now);
        assert_eq!(wish, Wish::Forward(Signal::HUP));
    }
}

#[test]
fn exit_code_is_128_and_the_signal() {
    assert_eq!(exit_code(Signal::INT), 130);
    assert_eq!(exit_code(Signal::KILL), 137);
}
