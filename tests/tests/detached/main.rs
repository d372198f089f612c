//! `husk run -d` and the commands about it, as a person calls them. One guest serves many checks.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

mod flags;
mod running;

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Output},
};

use husk_tests::cli::{Bench, text};
use serde_json::Value;

use flags::{assert_every_flag_is_seen, start_with_every_flag};
use running::{exec_ends_at_the_second_signal, refused_execs, times_of_the_log, while_it_runs};

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

fn kill(pid: u64, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// The lines of a log as they are written.
fn follow(bench: &Bench) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut following = bench.start(&["logs", "-f", "web"]).unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    (following, lines)
}

/// From run to rm: what each command says of one container, and that it all goes away.
#[test]
fn detached_container_is_handled_by_other_commands() {
    let bench = Bench::new().unwrap();
    let script = "trap 'echo bye; exit 42' TERM; trap 'echo heard' USR1; echo up; echo oops >&2; \
                  sleep 100000 & while :; do wait; done";
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
    let (mut following, mut lines) = follow(&bench);
    execs(&bench, &id);
    refused_execs(&bench);
    exec_ends_at_the_second_signal(&bench);
    while_it_runs(&bench, &mut lines);
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
    assert_eq!(lines.next().unwrap().unwrap(), "bye");
    assert!(lines.next().is_none() && following.wait().unwrap().success());
    let log = bench.run(&["logs", "web"]).unwrap();
    assert_eq!(log.stdout, b"up\nbeside\nheard\nbye\n", "{}", text(&log));
    assert_eq!(log.stderr, b"oops\n", "{}", text(&log));
    assert_eq!(ask(&bench, &["logs", "-n", "1", "web"]), "bye");
    times_of_the_log(&bench);
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
    start_with_every_flag(&bench);
    let listed = ps(&bench);
    let (owner, vmm) = (pid(&listed, "owner_pid"), pid(&listed, "vmm_pid"));
    let (mut following, mut lines) = follow(&bench);
    assert_every_flag_is_seen(&mut lines);
    let known: Value = serde_json::from_str(&ask(&bench, &["inspect", "web"])).unwrap();
    assert_eq!(known[0]["stop_timeout_s"], 77);
    kill(owner, "-KILL");
    // Who follows is told by the end of who writes.
    assert!(lines.next().is_none());
    assert!(following.wait().unwrap().success());
    assert_eq!(ps(&bench)[0]["state"], "dead");
    assert!(ask(&bench, &["ps"]).contains("its machine still runs"));
    assert_eq!(code(&bench, &["exec", "web", "true"]), Some(1));
    assert_eq!(code(&bench, &["stop", "web"]), Some(1));
    assert_eq!(ask(&bench, &["logs", "-n", "1", "web"]), "up");
    assert_eq!(ask(&bench, &["rm", "web"]), "web");
    let state = fs::read_to_string(format!("/proc/{vmm}/status")).unwrap_or_default();
    assert!(state.is_empty() || state.contains("zombie"), "{state}");
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// No guest: what is for shells and for man is read by a shell, and by whoever reads roff.
#[test]
fn completions_and_manual_pages_come_out_of_the_command() {
    let bench = Bench::new().unwrap();
    let script = ask(&bench, &["completions", "bash"]);
    let file = bench.path().join("husk.bash");
    fs::write(&file, script).unwrap();
    let asked = "source \"$0\"; COMP_WORDS=(husk unp); COMP_CWORD=1; _husk husk unp husk; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash")
        .args(["-c", asked])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"unpause\n", "{}", text(&output));
    let pages = bench.path().join("man/pages");
    ask(&bench, &["man", pages.to_str().unwrap()]);
    for name in ["husk", "husk-run", "husk-exec", "husk-stats"] {
        let page = fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(page.contains("\n.SH \"EXIT STATUS\"\n"), "{name}: {page}");
    }
    let output = bench.run(&["man", "/proc/no"]).unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", text(&output));
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
