//! What other commands do with a container that runs.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::ChildStdout,
};

use husk_tests::cli::{Bench, text};
use serde_json::Value;

use crate::{ask, code, kill, ps};

/// What cannot be started has 126, as with Docker, and says why in one line.
pub(crate) fn refused_execs(bench: &Bench) {
    for (words, said) in [
        (["-u", "nobody-here"], "unable to find user nobody-here"),
        (["-w", "/no/such"], "no such file or directory"),
        (["-w", "/etc/plain"], "not a directory"),
        (["-w", "tmp"], "working directory \"tmp\" is not absolute"),
    ] {
        let output = bench
            .run(&["exec", words[0], words[1], "web", "true"])
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(126), "{}", text(&output));
        assert!(stderr.contains(said), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert_eq!(code(bench, &["exec", "web", "/etc/plain"]), Some(126));
}

/// A process that does not end at a signal: the second of a kind kills it, and ends who sent it.
pub(crate) fn exec_ends_at_the_second_signal(bench: &Bench) {
    let script = "trap 'echo term' TERM; echo up; sleep 100000 & while :; do wait; done";
    let mut exec = bench.start(&["exec", "web", "sh", "-c", script]).unwrap();
    let said = BufReader::new(exec.stdout.take().unwrap()).lines();
    let mut heard = Vec::new();
    for line in said {
        heard.push(line.unwrap());
        kill(exec.id().into(), "-TERM");
    }
    assert_eq!(exec.wait().unwrap().code(), Some(137));
    assert_eq!(heard[..2], ["up", "term"]);
}

/// Pause, figures, a process that nobody waits for, a signal. `lines` follows the log.
pub(crate) fn while_it_runs(bench: &Bench, lines: &mut Lines<BufReader<ChildStdout>>) {
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    let beside = "echo beside > /proc/1/fd/1";
    assert_eq!(ask(bench, &["exec", "-d", "web", "sh", "-c", beside]), "");
    assert_eq!(lines.next().unwrap().unwrap(), "beside");
    assert_eq!(
        code(bench, &["exec", "web", "ping", "-c", "1", "127.0.0.1"]),
        Some(0)
    );
    figures(bench);
    assert_eq!(ask(bench, &["pause", "web"]), "web");
    assert_eq!(ps(bench)[0]["state"], "paused");
    for words in [&["pause", "web"][..], &["exec", "web", "true"]] {
        assert_eq!(code(bench, words), Some(1), "{words:?}");
    }
    assert_eq!(ask(bench, &["unpause", "web"]), "web");
    assert_eq!(ask(bench, &["kill", "-s", "USR1", "web"]), "web");
    assert_eq!(lines.next().unwrap().unwrap(), "heard");
}

/// `stats` for people and for programs.
fn figures(bench: &Bench) {
    let table = ask(bench, &["stats", "--no-stream", "web"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    for heading in ["CPU %", "MEMORY / LIMIT", "PIDS", "NET I/O", "BLOCK I/O"] {
        assert!(lines[0].contains(heading), "{table}");
    }
    assert!(
        lines[1].contains(" web ") && lines[1].contains("0 B / 0 B"),
        "{table}"
    );
    let rows = ask(bench, &["stats", "--no-stream", "--json", "web"]);
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let seen = &rows[0]["container"];
    assert!(seen["memory"]["current_bytes"].as_u64() > Some(0), "{rows}");
    assert!(seen["pids"]["current"].as_u64() >= Some(2), "{rows}");
    let read_at = seen["read_at"].as_str().unwrap();
    assert!(
        read_at.starts_with("20") && read_at.ends_with('Z'),
        "{rows}"
    );
    // A ping and its answer.
    let lo = &seen["interfaces"][0];
    assert_eq!(lo["name"], "lo", "{rows}");
    for figure in ["rx_packets", "tx_packets"] {
        assert!(lo[figure].as_u64() >= Some(2), "{rows}");
    }
    assert!(
        rows[0]["vmm_memory_bytes"].as_u64() > Some(1 << 20),
        "{rows}"
    );
}

/// Lines with their times, and those since one of them.
pub(crate) fn times_of_the_log(bench: &Bench) {
    let stamped = ask(bench, &["logs", "-t", "web"]);
    let lines: Vec<(&str, &str)> = stamped
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let words: Vec<&str> = lines.iter().map(|(_, word)| *word).collect();
    assert_eq!(words, ["up", "beside", "heard", "bye"], "{stamped}");
    assert!(lines.is_sorted(), "{stamped}");
    assert!(
        lines
            .iter()
            .all(|(time, _)| time.len() == 30 && time.ends_with('Z')),
        "{stamped}"
    );
    let since = |time: &str| ask(bench, &["logs", "--since", time, "web"]);
    assert_eq!(since(lines[2].0), "heard\nbye");
    assert_eq!(since("2200-01-01T00:00:00Z"), "");
    assert_eq!(since("1d"), "up\nbeside\nheard\nbye");
}
