//! What a cgroup has used: the kernel's files as one message.

use std::{collections::HashMap, fs, path::Path, str::FromStr};

use husk_protocol::agent::{
    CpuStats, HugetlbStats, IoStats, MemoryStats, PidsStats, StatsResponse,
};

/// Reads every file that there is; a part whose controller the guest lacks stays unset.
pub(crate) fn figures(directory: &Path) -> StatsResponse {
    let read = |file: &str| fs::read_to_string(directory.join(file)).ok();
    let has = |file: &str| directory.join(file).exists();
    StatsResponse {
        cpu: read("cpu.stat").map(|stat| cpu(&stat, &read)).into(),
        memory: has("memory.current").then(|| memory(&read)).into(),
        pids: has("pids.current").then(|| pids(&read)).into(),
        io: read("io.stat")
            .unwrap_or_default()
            .lines()
            .filter_map(io)
            .collect(),
        hugetlb: hugetlb(directory, &read),
        ..StatsResponse::default()
    }
}

/// "name value" lines.
fn named(text: &str) -> HashMap<String, u64> {
    let line = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// A number; "max" and anything else is none.
fn number<T: FromStr>(text: Option<String>) -> Option<T> {
    text?.trim().parse().ok()
}

fn cpu(stat: &str, read: &impl Fn(&str) -> Option<String>) -> CpuStats {
    let stat = named(stat);
    let get = |name: &str| stat.get(name).copied().unwrap_or(0);
    let max = read("cpu.max").unwrap_or_default();
    let (quota, period) = max.split_once(' ').unwrap_or_default();
    CpuStats {
        usage_us: get("usage_usec"),
        user_us: get("user_usec"),
        system_us: get("system_usec"),
        periods: get("nr_periods"),
        throttled_periods: get("nr_throttled"),
        throttled_us: get("throttled_usec"),
        quota_us: quota.parse().ok(),
        period_us: period.trim().parse().unwrap_or(0),
        weight: number(read("cpu.weight")).unwrap_or(0),
        ..CpuStats::default()
    }
}

fn memory(read: &impl Fn(&str) -> Option<String>) -> MemoryStats {
    MemoryStats {
        current_bytes: number(read("memory.current")).unwrap_or(0),
        peak_bytes: number(read("memory.peak")).unwrap_or(0),
        limit_bytes: number(read("memory.max")),
        swap_current_bytes: number(read("memory.swap.current")).unwrap_or(0),
        swap_limit_bytes: number(read("memory.swap.max")),
        high_bytes: number(read("memory.high")),
        low_bytes: number(read("memory.low")).unwrap_or(0),
        stat: named(&read("memory.stat").unwrap_or_default()),
        events: named(&read("memory.events").unwrap_or_default()),
        ..MemoryStats::default()
    }
}

fn pids(read: &impl Fn(&str) -> Option<String>) -> PidsStats {
    PidsStats {
        current: number(read("pids.current")).unwrap_or(0),
        limit: number(read("pids.max")),
        ..PidsStats::default()
    }
}

/// One line of `io.stat`: "8:0 rbytes=1 wbytes=2 ...".
fn io(line: &str) -> Option<IoStats> {
    let (device, figures) = line.split_once(' ')?;
    let (major, minor) = device.split_once(':')?;
    let figures: HashMap<&str, u64> = figures
        .split(' ')
        .filter_map(|figure| figure.split_once('='))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect();
    let get = |name: &str| figures.get(name).copied().unwrap_or(0);
    Some(IoStats {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        read_bytes: get("rbytes"),
        written_bytes: get("wbytes"),
        reads: get("rios"),
        writes: get("wios"),
        discarded_bytes: get("dbytes"),
        discards: get("dios"),
        ..IoStats::default()
    })
}

fn hugetlb(directory: &Path, read: &impl Fn(&str) -> Option<String>) -> Vec<HugetlbStats> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |name: &str| {
        let size = name.strip_prefix("hugetlb.")?.strip_suffix(".current")?;
        (!size.contains('.')).then(|| size.to_owned())
    };
    let sizes = entries.filter_map(|entry| size(entry.file_name().to_str()?));
    let of_size = |size: String| HugetlbStats {
        current_bytes: number(read(&format!("hugetlb.{size}.current"))).unwrap_or(0),
        limit_bytes: number(read(&format!("hugetlb.{size}.max"))),
        failures: named(&read(&format!("hugetlb.{size}.events")).unwrap_or_default())
            .get("max")
            .copied()
            .unwrap_or(0),
        page_size: size,
        ..HugetlbStats::default()
    };
    sizes.map(of_size).collect()
}

#[cfg(test)]
mod tests;
