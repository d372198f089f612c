//! The limits of the cgroup, as far as /sys/fs/cgroup shows them: version 2's words for either version's files.

use std::path::Path;

use serde_json::{Map, Value};

use super::text;

/// Where it is mounted.
const TREE: &str = "/sys/fs/cgroup";

/// From here on a limit of version 1 means "none".
const NO_LIMIT: u64 = 1 << 62;

/// Limits by their version 2 names.
pub(super) fn limits() -> Map<String, Value> {
    let facts = if Path::new(TREE).join("cgroup.controllers").exists() {
        second()
    } else {
        first()
    };
    facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

fn second() -> Vec<(&'static str, String)> {
    let file = |name: &str| text::file(&format!("{TREE}/{name}"));
    let limit = |name: &str| match file(name).as_str() {
        "max" => "none".to_owned(),
        other => other.to_owned(),
    };
    let cpu = file("cpu.max");
    vec![
        ("memory", limit("memory.max")),
        ("memory_soft", limit("memory.low")),
        ("pids", limit("pids.max")),
        ("cpu", cpu.replace("max ", "none ")),
        ("cpu_weight", file("cpu.weight")),
        ("cpuset", file("cpuset.cpus.effective")),
    ]
}

fn first() -> Vec<(&'static str, String)> {
    let file = |name: &str| text::file(&format!("{TREE}/{name}"));
    let limit = |name: &str| {
        let value = file(name);
        match value.parse::<u64>() {
            Ok(bytes) if bytes >= NO_LIMIT => "none".to_owned(),
            _ if value == "max" || value == "-1" => "none".to_owned(),
            _ => value,
        }
    };
    let shares = file("cpu/cpu.shares");
    let shares = shares
        .parse::<f64>()
        .map(|shares| weight(shares).to_string());
    let weight = shares.unwrap_or_else(|_| file("cpu/cpu.shares"));
    // No soft limit is no protection.
    let soft = match limit("memory/memory.soft_limit_in_bytes").as_str() {
        "none" => "0".to_owned(),
        other => other.to_owned(),
    };
    vec![
        ("memory", limit("memory/memory.limit_in_bytes")),
        ("memory_soft", soft),
        ("pids", limit("pids/pids.max")),
        (
            "cpu",
            format!(
                "{} {}",
                limit("cpu/cpu.cfs_quota_us"),
                file("cpu/cpu.cfs_period_us")
            ),
        ),
        ("cpu_weight", weight),
        ("cpuset", file("cpuset/cpuset.effective_cpus")),
    ]
}

/// From shares to a weight as engines do it: 1024 shares are a weight of 100.
fn weight(shares: f64) -> f64 {
    let power = shares.log2();
    let exponent = (power * power + 125.0 * power) / 612.0 - 7.0 / 34.0;
    10_f64.powf(exponent).ceil()
}
