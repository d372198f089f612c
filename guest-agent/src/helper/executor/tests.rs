//! Tests of finding commands, with runc's words for failures.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::look_up;
use crate::process::{Failure, FailureClass};

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
