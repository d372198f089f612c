//! Tests of the words, and of what is taken out of an environment.

use std::io;

use super::{DEFAULT_PATH, Failure, environment, search_path};
use crate::process::FailureClass;

#[test]
fn format_error_of_execve_is_not_executable() {
    let error = io::Error::from_raw_os_error(libc::ENOEXEC);
    let failure = Failure::of("x", &error);
    assert_eq!(failure.class, FailureClass::CommandNotExecutable);
    assert_eq!(failure.text, "exec: \"x\": exec format error");
}

#[test]
fn environment_keeps_pairs_only() {
    let entries = ["A=1".to_owned(), "B=x=y".into(), "C".into(), "=z".into()];
    let expected = [("A", "1"), ("B", "x=y")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(environment(Some(&entries)), expected);
}

#[test]
fn last_path_of_the_environment_is_searched() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(search_path(&[]), DEFAULT_PATH);
    let twice = [pair("PATH", "/a"), pair("X", "/x"), pair("PATH", "/b")];
    assert_eq!(search_path(&twice), "/b");
}
