//! Words of failures.

use super::{FailureClass, with_cause};

#[test]
fn cause_is_told_and_what_the_clean_up_met_is_not() {
    let text = "exec failed: failed to set sysctl. error during cleanup: failed to delete: busy"
        .to_owned();
    let notes = [
        "failed to set sysctl kernel.msgmax=most: EINVAL".to_owned(),
        "failed to delete".to_owned(),
    ];
    assert_eq!(
        with_cause(FailureClass::Other, text.clone(), &notes),
        "exec failed: failed to set sysctl: failed to set sysctl kernel.msgmax=most: EINVAL"
    );
    assert_eq!(
        with_cause(FailureClass::Other, text, &[]),
        "exec failed: failed to set sysctl"
    );
}

#[test]
fn words_about_a_command_stay_as_they_are() {
    let text = "\"a. error during cleanup: b\": executable file not found in $PATH";
    let told = with_cause(
        FailureClass::CommandNotFound,
        text.to_owned(),
        &["x".to_owned()],
    );
    assert_eq!(told, text);
}
