//! The program as a container has it: in memory, executed by name of its descriptor.

use std::{
    fs,
    io::{Read, Write},
    os::fd::AsRawFd,
    process::{Command, Output, Stdio, id},
};

use super::program;

/// Runs a shell script under the program.
fn supervise(arguments: &[&str]) -> Output {
    let program = program().unwrap();
    let path = format!("/proc/{}/fd/{}", id(), program.as_raw_fd());
    Command::new(path).args(arguments).output().unwrap()
}

#[test]
fn program_cannot_be_changed() {
    let program = program().unwrap();
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let opened = fs::File::options().write(true).open(path);
    let written = opened.and_then(|mut file| file.write(b"x"));
    assert_eq!(
        written.unwrap_err().kind(),
        std::io::ErrorKind::PermissionDenied
    );
}

#[test]
fn end_of_the_command_is_passed_on() {
    for (script, code) in [
        ("exit 0", 0),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -SEGV $$", 139),
        // Orphans that may end before it, and after it.
        ("(true & true &); exit 3", 3),
    ] {
        let output = supervise(&["/bin/sh", "sh", "-c", script]);
        assert_eq!(output.status.code(), Some(code), "{script}: {output:?}");
    }
}

#[test]
fn command_that_cannot_run_is_told_by_code_and_path() {
    let missing = supervise(&["/no/pe", "pe"]);
    assert_eq!(missing.status.code(), Some(127));
    assert_eq!(
        missing.stderr,
        b"husk-init: exec /no/pe: no such file or directory\n"
    );
    let denied = supervise(&["/etc/passwd", "passwd"]);
    assert_eq!(denied.status.code(), Some(126));
    assert_eq!(
        denied.stderr,
        b"husk-init: exec /etc/passwd: cannot be executed\n"
    );
}

#[test]
fn signal_reaches_the_command_and_arguments_and_environment_too() {
    let program = program().unwrap();
    let script = "trap 'exit 42' TERM; echo $0 $COLOUR; while :; do read -r x; done";
    let mut child = Command::new(format!("/proc/{}/fd/{}", id(), program.as_raw_fd()))
        .args(["/bin/sh", "first", "-c", script, "zero"])
        .env("COLOUR", "red")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 9];
    child.stdout.take().unwrap().read_exact(&mut up).unwrap();
    assert_eq!(&up, b"zero red\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    // A shell that waits for a line hears the signal between two.
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(42));
}
