//! Instructions that KVM gets to see twice.

use super::SecondLook;
use crate::interp::InterpError;

#[test]
fn bytes_that_changed_under_kvm_are_tried_again() {
    let mut look = SecondLook::default();
    assert!(look.take(0x1000, vec![0x66, 0x90]).is_ok());
    assert!(look.take(0x1000, vec![0xe9, 0x90]).is_ok());
    assert!(look.take(0x2000, vec![0xe9, 0x90]).is_ok());
}

#[test]
fn bytes_that_fail_twice_are_the_end() {
    let mut look = SecondLook::default();
    assert!(look.take(0x1000, vec![0x0f, 0x0b]).is_ok());
    let again = look.take(0x1000, vec![0x0f, 0x0b]);
    assert!(
        matches!(&again, Err(InterpError::Unknown { rip: 0x1000, bytes }) if *bytes == [0x0f, 0x0b]),
        "{again:?}"
    );
}
