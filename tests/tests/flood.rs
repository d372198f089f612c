//! A detached container that writes without end (R66, T7): its log and its owner stay as small as they are, and it is as
//! easily asked and stopped as any other.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
};

use husk_tests::cli::{Bench, text};
use serde_json::Value;

/// Of the log: the least that the settings take.
const LOG_KIB: u64 = 64;

/// What the follower of the log hears before it looks: many times as much as the log holds.
const HEARD_BYTES: usize = 512 << 10;

/// What an owner may need for a stream, whatever comes through it.
const OWNER_KIB: u64 = 8 << 10;

fn ask(bench: &Bench, words: &[&str]) -> String {
    let output = bench.run(words).unwrap();
    assert!(output.status.success(), "{words:?}: {}", text(&output));
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// The most memory that a process ever had.
fn peak_kib(pid: u64) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1));
    kib.unwrap().parse().unwrap()
}

/// Bytes of all files of a log below a directory. A file may be turned away while it is looked at.
fn log_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => log_bytes(&entry.path()),
            Ok(about) if entry.file_name().to_string_lossy().starts_with("log.json") => about.len(),
            _ => 0,
        })
        .sum()
}

#[test]
fn r66_t7_container_that_writes_without_end_fills_neither_its_log_nor_its_owner() {
    let bench = Bench::new().unwrap();
    let mut settings = fs::OpenOptions::new()
        .append(true)
        .open(bench.settings())
        .unwrap();
    writeln!(settings, "log_kib = {LOG_KIB}").unwrap();
    let rootfs = bench.rootfs();
    let script = "trap 'kill $flood; wait $flood; echo bye; exit 42' TERM; trap 'yes & flood=$!' USR1; \
                  echo up; sleep 100000 & while :; do wait; done";
    ask(
        &bench,
        &[
            "run",
            "-d",
            "--name",
            "flood",
            rootfs.to_str().unwrap(),
            "sh",
            "-c",
            script,
        ],
    );
    let listed: Value = serde_json::from_str(&ask(&bench, &["ps", "--json"])).unwrap();
    let owner = listed[0]["owner_pid"].as_u64().unwrap();
    let mut following = bench.start(&["logs", "-f", "flood"]).unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    let before = peak_kib(owner);
    ask(&bench, &["kill", "-s", "USR1", "flood"]);
    let mut heard = 0;
    while heard < HEARD_BYTES {
        heard += lines.next().unwrap().unwrap().len() + 1;
    }
    // It still writes, and answers beside that.
    assert_eq!(ask(&bench, &["exec", "flood", "echo", "still"]), "still");
    let bytes = log_bytes(&bench.path().join("run"));
    // The newest file and the one before.
    assert!(
        bytes > 0 && bytes <= 2 * (LOG_KIB << 10),
        "{bytes} bytes of log"
    );
    let after = peak_kib(owner);
    assert!(
        after <= before + OWNER_KIB,
        "{after} KiB of owner after {before}"
    );
    // However slow the machine is: it is asked, and not killed.
    ask(&bench, &["stop", "--timeout=-1", "flood"]);
    assert_eq!(ask(&bench, &["wait", "flood"]), "42");
    assert_eq!(ask(&bench, &["logs", "-n", "1", "flood"]), "bye");
    assert!(log_bytes(&bench.path().join("run")) <= 2 * (LOG_KIB << 10));
    drop(lines);
    following.kill().unwrap();
    following.wait().unwrap();
    ask(&bench, &["rm", "flood"]);
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}
