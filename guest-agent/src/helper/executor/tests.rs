//! Tests of finding commands, with runc's words for failures.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use super::{Failure, environment, look_up};
use crate::process::FailureClass;

fn file(directory: &Path, name: &str, mode: u32) {
    let path = directory.join(name);
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn first_executable_in_path_is_found() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    file(first.path(), "tool", 0o644);
    file(second.path(), "tool", 0o755);
    let search = format!("{}:{}", first.path().display(), second.path().display());
    assert_eq!(
        look_up("tool", &search).unwrap(),
        second.path().join("tool")
    );
}

#[test]
fn name_that_is_nowhere_is_not_found_in_runcs_words() {
    let empty = tempfile::tempdir().unwrap();
    let failure = look_up("foo", &empty.path().display().to_string()).unwrap_err();
    assert_eq!(
        failure,
        Failure {
            class: FailureClass::CommandNotFound,
            text: "exec: \"foo\": executable file not found in $PATH".into(),
        }
    );
}

#[test]
fn missing_path_names_the_path() {
    let failure = look_up("/nowhere/foo", "/bin").unwrap_err();
    assert_eq!(failure.class, FailureClass::CommandNotFound);
    assert_eq!(
        failure.text,
        "exec: \"/nowhere/foo\": stat /nowhere/foo: no such file or directory"
    );
}

#[test]
fn file_without_permission_and_directory_are_not_executable() {
    let directory = tempfile::tempdir().unwrap();
    file(directory.path(), "data", 0o644);
    let search = directory.path().display().to_string();
    let data = directory.path().join("data").display().to_string();
    for (name, reason) in [
        ("data", "permission denied"),
        (&data, "permission denied"),
        (&search, "is a directory"),
    ] {
        let failure = look_up(name, &search).unwrap_err();
        assert_eq!(failure.class, FailureClass::CommandNotExecutable, "{name}");
        assert!(failure.text.contains(reason), "{}", failure.text);
    }
}

#[test]
fn empty_name_is_not_found() {
    let failure = look_up("", "/bin").unwrap_err();
    assert_eq!(failure.class, FailureClass::CommandNotFound);
}

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
