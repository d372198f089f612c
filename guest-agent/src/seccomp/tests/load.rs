//! A program in the kernel: what it says happens.

use std::{io, process::Command};

use serde_json::json;

use super::{compare::compiled, profiles::read};
use crate::seccomp::load;

#[test]
fn loaded_program_is_obeyed_by_what_is_executed() {
    use std::os::unix::process::CommandExt;

    let program = compiled(&read(json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    })));
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("mkdir");
    command.arg(directory.path().join("made"));
    let before_exec = move || {
        rustix::thread::set_no_new_privs(true)?;
        load(&program)
    };
    // SAFETY: what runs between fork and exec only makes system calls.
    unsafe { command.pre_exec(before_exec) };
    let output = command.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    let expected = io::Error::from_raw_os_error(95).to_string();
    let expected = expected.split(" (").next().unwrap().to_owned();
    assert!(
        !output.status.success() && words.contains(&expected),
        "{words}"
    );
}
