//! What /proc says of this process.

use std::fs;

use serde_json::{Map, Value};

use super::text;

/// Lines of /proc/self/status.
const STATUS: [&str; 23] = [
    "Name",
    "Umask",
    "Pid",
    "PPid",
    "NSpid",
    "NSpgid",
    "NSsid",
    "Uid",
    "Gid",
    "Groups",
    "Threads",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
];

/// Files of /proc/self that hold one fact.
const FILES: [&str; 9] = [
    "cgroup",
    "comm",
    "coredump_filter",
    "gid_map",
    "oom_score_adj",
    "personality",
    "setgroups",
    "timens_offsets",
    "uid_map",
];

/// Fields of /proc/self/stat after the name, counted as proc_pid_stat(5) does.
const STAT: [(&str, usize); 6] = [
    ("process_group", 5),
    ("session", 6),
    ("terminal", 7),
    ("nice", 19),
    ("realtime_priority", 40),
    ("policy", 41),
];

/// All of it.
pub(super) fn facts() -> Map<String, Value> {
    let mut facts = Map::new();
    let status = text::file("/proc/self/status");
    for line in status.lines() {
        if let Some((name, value)) = line.split_once(':')
            && STATUS.contains(&name)
        {
            facts.insert(name.to_owned(), text::words(value).into());
        }
    }
    for name in FILES {
        let value = text::file(&format!("/proc/self/{name}"));
        let lines: Vec<String> = value.lines().map(text::words).collect();
        facts.insert(name.to_owned(), lines.join("; ").into());
    }
    let stat = text::file("/proc/self/stat");
    // The name may hold anything, but no field after it holds a bracket.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace()
        .collect();
    for (name, number) in STAT {
        // The first field after the name is number 3.
        let value = fields.get(number - 3).copied().unwrap_or("(none)");
        facts.insert(name.to_owned(), value.into());
    }
    facts.insert("limits".to_owned(), limits().into());
    facts.insert("exe".to_owned(), link("/proc/self/exe").into());
    facts
}

/// Soft and hard limits by name.
fn limits() -> Map<String, Value> {
    let table = text::file("/proc/self/limits");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            // The name fills the first 26 columns, whatever it is.
            let (name, values) = line.split_at_checked(26)?;
            let values: Vec<&str> = values.split_whitespace().take(2).collect();
            let name = name.trim().trim_start_matches("Max ").replace(' ', "_");
            Some((name, values.join(" ").into()))
        })
        .collect()
}

/// Where a link leads, without the number of what has no name.
pub(super) fn link(path: &str) -> String {
    match fs::read_link(path) {
        Err(cause) => text::error(&cause),
        Ok(to) => {
            let to = to.display().to_string();
            match to.split_once(":[") {
                Some((kind, _)) => kind.to_owned(),
                None => to,
            }
        }
    }
}
