//! `husk run -d` and the commands about it, as a person calls them. One guest serves many checks.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Output},
};

use husk_tests::cli::{Bench, text};
use serde_json::Value;

fn said(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap().trim_end()
}

/// A husk that must succeed; what it says.
fn ask(bench: &Bench, words: &[&str]) -> String {
    let output = bench.run(words).unwrap();
    assert!(output.status.success(), "{words:?}: {}", text(&output));
    said(&output).to_owned()
}

fn code(bench: &Bench, words: &[&str]) -> Option<i32> {
    bench.run(words).unwrap().status.code()
}

/// Words of a detached container `web` with a shell script.
fn web<'a>(rootfs: &'a Path, script: &'a str) -> [&'a str; 8] {
    let rootfs = rootfs.to_str().unwrap();
    ["run", "-d", "--name", "web", rootfs, "sh", "-c", script]
}

fn pid(listed: &Value, key: &str) -> u64 {
    listed[0][key].as_u64().unwrap()
}

fn ps(bench: &Bench) -> Value {
    serde_json::from_str(&ask(bench, &["ps", "-a", "--json"])).unwrap()
}

fn kill(pid: u64) {
    let sent = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// From run to rm: what each command says of one container, and that it all goes away.
#[test]
fn detached_container_is_handled_by_other_commands() {
    let bench = Bench::new().unwrap();
    let script = "trap 'echo bye; exit 42' TERM; echo up; echo oops >&2; while :; do sleep 1; done";
    let rootfs = bench.rootfs();
    let run = web(&rootfs, script);
    let id = ask(&bench, &run);
    assert_eq!(id.len(), 12, "{id}");
    let listed = ps(&bench);
    assert_eq!(listed[0]["id"], id.as_str());
    assert_eq!(listed[0]["state"], "running");
    assert!(ask(&bench, &["ps"]).contains("up "));
    // The name is taken, and the one who has it is not disturbed.
    let again = bench.run(&run).unwrap();
    assert_eq!(again.status.code(), Some(125), "{}", text(&again));
    assert!(again.stdout.is_empty());
    execs(&bench, &id);
    let known: Value = serde_json::from_str(&ask(&bench, &["inspect", "web"])).unwrap();
    assert_eq!(known[0]["state"]["status"], "running");
    assert_eq!(known[0]["spec"]["process"]["args"][0], "sh");
    for words in [
        &["rm", "web"][..],
        &["unpause", "web"],
        &["stop", "nobody"],
        &["kill", "nobody"],
    ] {
        assert_eq!(code(&bench, words), Some(1), "{words:?}");
    }
    assert_eq!(ask(&bench, &["stop", "web"]), "web");
    assert_eq!(ask(&bench, &["wait", "web"]), "42");
    assert_eq!(code(&bench, &["exec", "web", "true"]), Some(1));
    assert_eq!(ask(&bench, &["ps", "-q"]), "");
    let listed = ps(&bench);
    assert_eq!(listed[0]["state"], "exited");
    assert_eq!(listed[0]["exit_code"], 42);
    assert!(listed[0]["owner_pid"].is_null() && listed[0]["vmm_pid"].is_null());
    let log = bench.run(&["logs", "web"]).unwrap();
    assert_eq!(log.stdout, b"up\nbye\n", "{}", text(&log));
    assert_eq!(log.stderr, b"oops\n", "{}", text(&log));
    assert_eq!(ask(&bench, &["logs", "-n", "1", "web"]), "bye");
    assert_eq!(ask(&bench, &["rm", "web"]), "web");
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// Processes beside the first one, by the beginning of the id.
fn execs(bench: &Bench, id: &str) {
    let words = [
        "exec",
        "-i",
        "-e",
        "A=b",
        "-w",
        "/tmp",
        &id[..4],
        "sh",
        "-c",
        "pwd; echo $A; cat; echo no >&2; exit 3",
    ];
    let output = bench.run_with_input(&words, b"in\0\xff").unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert_eq!(output.stdout, b"/tmp\nb\nin\0\xff", "{}", text(&output));
    assert_eq!(output.stderr, b"no\n", "{}", text(&output));
    assert_eq!(code(bench, &["exec", "web", "no-such-command"]), Some(127));
}

/// The owner is killed: `ps` says so, what it was stays to be looked at, and a forced removal leaves nothing.
#[test]
fn killed_owner_is_told_and_its_machine_is_removed() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    ask(&bench, &web(&rootfs, "echo up; sleep 100000"));
    let listed = ps(&bench);
    let (owner, vmm) = (pid(&listed, "owner_pid"), pid(&listed, "vmm_pid"));
    let mut following = bench.start(&["logs", "-f", "web"]).unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    kill(owner);
    // Who follows is told by the end of who writes.
    assert!(lines.next().is_none());
    assert!(following.wait().unwrap().success());
    assert_eq!(ps(&bench)[0]["state"], "dead");
    assert!(ask(&bench, &["ps"]).contains("its machine still runs"));
    assert_eq!(code(&bench, &["exec", "web", "true"]), Some(1));
    assert_eq!(code(&bench, &["stop", "web"]), Some(1));
    assert_eq!(ask(&bench, &["logs", "web"]), "up");
    assert_eq!(ask(&bench, &["rm", "web"]), "web");
    let state = fs::read_to_string(format!("/proc/{vmm}/status")).unwrap_or_default();
    assert!(state.is_empty() || state.contains("zombie"), "{state}");
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// A command that cannot run is told before anything is printed, and nothing stays.
#[test]
fn detached_container_that_cannot_start_gives_the_error_and_its_code() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    let output = bench
        .run(&["run", "-d", rootfs.to_str().unwrap(), "no-such-command"])
        .unwrap();
    assert_eq!(output.status.code(), Some(127), "{}", text(&output));
    assert!(output.stdout.is_empty(), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("no-such-command"), "{stderr}");
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}
