//! `--ulimit`, `--sysctl`, `--pids-limit` and `--label`.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Value, json};

/// Limits of a process (getrlimit(2)), as Docker names them.
const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Kernel parameters that belong to a container's namespaces, so that one container's are not another's.
const SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];
const SYSCTL_PREFIXES: [&str; 2] = ["net.", "fs.mqueue."];

/// One `--ulimit NAME=SOFT[:HARD]`; `u64::MAX` is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    name: &'static str,
    soft: u64,
    hard: u64,
}

impl FromStr for Ulimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?} is not NAME=SOFT[:HARD], such as nofile=1024:4096");
        let (name, values) = text.split_once('=').ok_or_else(form)?;
        let known = ULIMITS.iter().find(|known| **known == name);
        let name = known.ok_or_else(|| format!("unknown limit {name:?}"))?;
        let number = |value: &str| match value {
            "-1" | "unlimited" => Ok(u64::MAX),
            value if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                value.parse().map_err(|_| form())
            }
            _ => Err(form()),
        };
        let (soft, hard) = match values.split_once(':') {
            Some((soft, hard)) => (number(soft)?, number(hard)?),
            None => (number(values)?, number(values)?),
        };
        if soft > hard {
            return Err(format!(
                "the soft limit of {text:?} is above its hard limit"
            ));
        }
        Ok(Self { name, soft, hard })
    }
}

/// `process.rlimits`; of one limit the last word counts.
pub(in super::super) fn rlimits(limits: &[Ulimit]) -> Value {
    let last: BTreeMap<&str, &Ulimit> = limits.iter().map(|limit| (limit.name, limit)).collect();
    let rlimits = last.values().map(|limit| {
        let kind = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
        json!({"type": kind, "soft": limit.soft, "hard": limit.hard})
    });
    rlimits.collect()
}

/// One `--sysctl NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    name: String,
    value: String,
}

impl FromStr for Sysctl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text:?} is not NAME=VALUE, such as net.core.somaxconn=1024");
        let (name, value) = text.split_once('=').ok_or_else(form)?;
        let part = |part: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !part.is_empty() && part.bytes().all(fits)
        };
        if !name.split('.').all(part) || value.is_empty() || value.contains(['\0', '\n']) {
            return Err(form());
        }
        let listed = SYSCTLS.contains(&name);
        if !listed
            && !SYSCTL_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        {
            return Err(format!(
                "{name:?} belongs to no namespace of a container (net.*, fs.mqueue.* and the kernel.* of System V IPC do)"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// `linux.sysctl`; of one name the last word counts.
pub(in super::super) fn sysctls(given: &[Sysctl]) -> Value {
    let last: BTreeMap<&str, &str> = given
        .iter()
        .map(|sysctl| (sysctl.name.as_str(), sysctl.value.as_str()))
        .collect();
    json!(last)
}

/// `--pids-limit`: how many processes and threads a container may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidsLimit(pub(in super::super) Option<i64>);

impl FromStr for PidsLimit {
    type Err = String;

    /// A number; 0 and -1 are no limit.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a number of processes (-1 for no limit)");
        match text.parse().map_err(|_| wrong())? {
            -1 | 0 => Ok(Self(None)),
            // The kernel's own limit of process numbers.
            count @ 1..=4_194_304 => Ok(Self(Some(count))),
            _ => Err(wrong()),
        }
    }
}

/// `--label NAME[=VALUE]`.
///
/// # Errors
/// The name is empty.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() || text.contains('\0') {
        return Err(format!("{text:?} has no name"));
    }
    Ok((name.to_owned(), value.to_owned()))
}
