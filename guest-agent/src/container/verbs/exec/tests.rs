//! Tests of the signs of a process's end.

use std::{fs, process::Command};

use super::is_exiting;

fn stat(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()
}

#[test]
fn process_that_runs_is_not_exiting() {
    assert!(!is_exiting(&stat(std::process::id())));
    // Only the last parenthesis ends the name.
    assert!(!is_exiting("7 (a) Z 1 2 3 4 5 4 6) S 1 7 7 0 -1 4194560 9"));
}

#[test]
fn process_that_has_exited_and_is_not_reaped_is_exiting() {
    let mut child = Command::new("true")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It has closed its output: it is on its way.
    let mut output = child.stdout.take().unwrap();
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    let id = rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child));
    let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(id, options).unwrap();
    assert!(is_exiting(&stat(child.id())));
    child.wait().unwrap();
}

#[test]
fn text_that_is_no_stat_is_not_exiting() {
    for text in ["", "1 (x)", "1 (x) S 1", "1 (x) S 1 2 3 4 5 flags"] {
        assert!(!is_exiting(text), "{text:?}");
    }
}
