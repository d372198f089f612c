//! `husk run` as a person calls it. Each test boots one guest of its own, so each one looks at many things.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _},
    process::{Child, ChildStdout, Command},
};

use husk_tests::{
    artefacts,
    cli::{Bench, text},
};

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Flags, streams, exit code and the timeline of one run of the OCI image.
#[test]
fn r1_oci_image_runs_on_a_kernel_of_its_own() {
    let bench = Bench::new().unwrap();
    let image = artefacts::file("busybox.tar").unwrap();
    let timeline = bench.path().join("timeline.json");
    let script = "uname -r; hostname; pwd; echo $COLOUR; id -u; id -g; cat; echo gone >&2; exit 7";
    let words = [
        "run",
        "--rm",
        "-i",
        "--name",
        "first",
        "--hostname",
        "shell",
        "-e",
        "COLOUR=red",
        "-w",
        "/tmp",
        "-u",
        "1001:1002",
        "--cpus",
        "2",
        &format!("--timeline={}", timeline.display()),
        image.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        script,
    ];
    let output = bench.run_with_input(&words, b"one\0two\xff").unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
    assert_eq!(output.stderr, b"gone\n", "{}", text(&output));
    let host = Command::new("uname").arg("-r").output().unwrap();
    let (kernel, rest) = {
        let end = output
            .stdout
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap();
        output.stdout.split_at(end + 1)
    };
    assert_ne!(kernel, host.stdout);
    assert!(
        String::from_utf8_lossy(kernel).contains("husk"),
        "{}",
        text(&output)
    );
    assert_eq!(rest, b"shell\n/tmp\nred\n1001\n1002\none\0two\xff");
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
    let stages = std::fs::read_to_string(timeline).unwrap();
    for stage in [
        "vmm",
        "kernel",
        "agent",
        "container",
        "first byte",
        "exit",
        "teardown",
    ] {
        assert!(stages.contains(stage), "no {stage} in {stages}");
    }
}

/// A `husk run` of a shell script whose first line of output is "up", when it is; and its further lines.
fn start_up(bench: &Bench, script: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let rootfs = bench.rootfs();
    let mut child = bench
        .start(&["run", rootfs.to_str().unwrap(), "sh", "-c", script])
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    (child, lines)
}

/// Whoever reads the output leaves (`husk run ... | head -1`): the writer's pipe breaks, as without a machine in between,
/// and the container goes on. Then SIGTERM reaches the process, and its own exit code comes back.
#[test]
fn reader_that_leaves_breaks_the_pipe_and_sigterm_reaches_the_process() {
    let bench = Bench::new().unwrap();
    let script = "trap 'echo bye >&2; exit 42' TERM; echo up; yes; echo broken $? >&2; \
                  while :; do sleep 1; done";
    let (mut child, lines) = start_up(&bench, script);
    drop(lines);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // SIGPIPE ended it: 128 + 13.
    assert!(said.any(|line| line.unwrap() == "broken 141"));
    signal(child.id(), "TERM");
    assert_eq!(said.next().unwrap().unwrap(), "bye");
    assert_eq!(child.wait().unwrap().code(), Some(42));
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// A command that is not there: 127 and runc's words.
#[test]
fn r106_missing_command_gives_127() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    let output = bench
        .run(&["run", rootfs.to_str().unwrap(), "no-such-command"])
        .unwrap();
    assert_eq!(output.status.code(), Some(127), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("\"no-such-command\": executable file not found in $PATH"),
        "{stderr}"
    );
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// The VMM is killed: the container's code is 137, and nothing is left (R43).
#[test]
fn r43_killed_vmm_is_reported_as_137() {
    let bench = Bench::new().unwrap();
    let (mut child, _lines) = start_up(&bench, "echo up; sleep 100000");
    signal(vmm_of(child.id()), "KILL");
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137), "{stderr}");
    assert!(stderr.contains("the VMM ended with signal 9"), "{stderr}");
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// `husk` itself is killed: what it leaves is swept by the next one, even one that fails.
#[test]
fn killed_husk_is_swept_by_the_next_run() {
    let bench = Bench::new().unwrap();
    let (mut child, _lines) = start_up(&bench, "echo up; sleep 100000");
    let vmm = vmm_of(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bench.leftovers().unwrap().is_empty());
    let output = bench.run(&["run", "/no/such/image", "true"]).unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", text(&output));
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
    let state = std::fs::read_to_string(format!("/proc/{vmm}/status")).unwrap_or_default();
    assert!(state.is_empty() || state.contains("zombie"), "{state}");
}

/// The one VMM process that is a child of this `husk`.
fn vmm_of(husk: u32) -> u32 {
    let children = std::fs::read_dir(format!("/proc/{husk}/task")).unwrap();
    let mut found = Vec::new();
    for task in children {
        let path = task.unwrap().path().join("children");
        let pids = std::fs::read_to_string(path).unwrap_or_default();
        found.extend(
            pids.split_whitespace()
                .map(|pid| pid.parse::<u32>().unwrap()),
        );
    }
    let is_vmm = |pid: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.trim() == "husk-vmm"
    };
    found.retain(is_vmm);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}
