//! A container's figures, checked.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use husk_protocol::agent;
use serde::{Deserialize, Serialize};

use super::{AgentError, answers::invalid};

/// The most named figures of one kind; the kernel has about 70.
const MAX_NAMED: usize = 512;

/// The longest name of a figure.
const MAX_NAME_BYTES: usize = 64;

/// The most devices; a guest has about 32.
const MAX_DEVICES: usize = 1024;

/// What a container has used, as its cgroup in the guest counts it. A part is missing where the guest lacks the
/// controller; a limit that is not set is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Guest's wall clock when they were read, since the epoch.
    pub read_at: Duration,
    /// Processor time.
    pub cpu: Option<CpuStats>,
    /// Memory.
    pub memory: Option<MemoryStats>,
    /// Number of processes and threads.
    pub pids: Option<PidsStats>,
    /// Block devices that were used.
    pub io: Vec<IoStats>,
    /// Huge pages, by size.
    pub hugetlb: Vec<HugetlbStats>,
    /// Interfaces of its network namespace, `lo` too; none when it has ended.
    pub interfaces: Vec<InterfaceStats>,
}

/// Processor time, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuStats {
    /// All of it.
    pub usage_us: u64,
    /// In user mode.
    pub user_us: u64,
    /// In the kernel.
    pub system_us: u64,
    /// Periods of the limit that have passed.
    pub periods: u64,
    /// Periods in which the limit was reached.
    pub throttled_periods: u64,
    /// Time that was waited for the next period.
    pub throttled_us: u64,
    /// The limit: so much of each period.
    pub quota_us: Option<u64>,
    /// The period.
    pub period_us: u64,
    /// Weight against other containers.
    pub weight: u64,
}

/// Memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryStats {
    /// Used now, caches included.
    pub current_bytes: u64,
    /// The most that was used.
    pub peak_bytes: u64,
    /// Limit.
    pub limit_bytes: Option<u64>,
    /// Swap used now.
    pub swap_current_bytes: u64,
    /// Limit of the swap.
    pub swap_limit_bytes: Option<u64>,
    /// Above this, allocation is slowed down.
    pub high_bytes: Option<u64>,
    /// Up to this, others are reclaimed from first.
    pub low_bytes: u64,
    /// `memory.stat`.
    pub stat: BTreeMap<String, u64>,
    /// `memory.events`.
    pub events: BTreeMap<String, u64>,
}

/// Number of processes and threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PidsStats {
    /// Now.
    pub current: u64,
    /// Limit.
    pub limit: Option<u64>,
}

/// One block device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IoStats {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Read operations.
    pub reads: u64,
    /// Write operations.
    pub writes: u64,
    /// Bytes discarded.
    pub discarded_bytes: u64,
    /// Discard operations.
    pub discards: u64,
}

/// Huge pages of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HugetlbStats {
    /// As the kernel writes it: "2MB".
    pub page_size: String,
    /// Used now.
    pub current_bytes: u64,
    /// Limit.
    pub limit_bytes: Option<u64>,
    /// Allocations that the limit refused.
    pub failures: u64,
}

/// One network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceStats {
    /// Its name in the container.
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Of those received, what was damaged.
    pub rx_errors: u64,
    /// Received, and thrown away.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Failures to send.
    pub tx_errors: u64,
    /// Thrown away instead of sent.
    pub tx_dropped: u64,
}

pub(super) fn stats(answer: agent::StatsResponse) -> Result<Stats, AgentError> {
    let seconds = u64::try_from(answer.read_at_seconds)
        .map_err(|_| invalid("Stats", format!("time {}", answer.read_at_seconds)))?;
    let lengths = [
        answer.io.len(),
        answer.hugetlb.len(),
        answer.interfaces.len(),
    ];
    if let Some(count) = lengths.into_iter().find(|count| *count > MAX_DEVICES) {
        return Err(invalid("Stats", format!("{count} devices")));
    }
    Ok(Stats {
        read_at: Duration::new(seconds, answer.read_at_nanos.min(999_999_999)),
        cpu: answer.cpu.into_option().map(|cpu| cpu_stats(&cpu)),
        memory: answer.memory.into_option().map(memory).transpose()?,
        pids: answer.pids.into_option().map(|pids| PidsStats {
            current: pids.current,
            limit: pids.limit,
        }),
        io: answer.io.iter().map(io).collect(),
        hugetlb: answer
            .hugetlb
            .into_iter()
            .map(hugetlb)
            .collect::<Result<_, _>>()?,
        interfaces: answer
            .interfaces
            .iter()
            .map(interface)
            .collect::<Result<_, _>>()?,
    })
}

fn cpu_stats(cpu: &agent::CpuStats) -> CpuStats {
    CpuStats {
        usage_us: cpu.usage_us,
        user_us: cpu.user_us,
        system_us: cpu.system_us,
        periods: cpu.periods,
        throttled_periods: cpu.throttled_periods,
        throttled_us: cpu.throttled_us,
        quota_us: cpu.quota_us,
        period_us: cpu.period_us,
        weight: cpu.weight,
    }
}

fn memory(memory: agent::MemoryStats) -> Result<MemoryStats, AgentError> {
    Ok(MemoryStats {
        current_bytes: memory.current_bytes,
        peak_bytes: memory.peak_bytes,
        limit_bytes: memory.limit_bytes,
        swap_current_bytes: memory.swap_current_bytes,
        swap_limit_bytes: memory.swap_limit_bytes,
        high_bytes: memory.high_bytes,
        low_bytes: memory.low_bytes,
        stat: named(memory.stat)?,
        events: named(memory.events)?,
    })
}

fn io(io: &agent::IoStats) -> IoStats {
    IoStats {
        major: io.major,
        minor: io.minor,
        read_bytes: io.read_bytes,
        written_bytes: io.written_bytes,
        reads: io.reads,
        writes: io.writes,
        discarded_bytes: io.discarded_bytes,
        discards: io.discards,
    }
}

fn hugetlb(pages: agent::HugetlbStats) -> Result<HugetlbStats, AgentError> {
    check_name(&pages.page_size)?;
    Ok(HugetlbStats {
        page_size: pages.page_size,
        current_bytes: pages.current_bytes,
        limit_bytes: pages.limit_bytes,
        failures: pages.failures,
    })
}

fn interface(interface: &agent::InterfaceStats) -> Result<InterfaceStats, AgentError> {
    if interface.name.len() > MAX_NAME_BYTES {
        let what = format!("interface with a name of {} bytes", interface.name.len());
        return Err(invalid("Stats", what));
    }
    Ok(InterfaceStats {
        // Chosen by the container: nearly any bytes, which is no reason to doubt the agent.
        name: plain_text(&interface.name),
        rx_bytes: interface.rx_bytes,
        rx_packets: interface.rx_packets,
        rx_errors: interface.rx_errors,
        rx_dropped: interface.rx_dropped,
        tx_bytes: interface.tx_bytes,
        tx_packets: interface.tx_packets,
        tx_errors: interface.tx_errors,
        tx_dropped: interface.tx_dropped,
    })
}

fn plain_text(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    name.chars().map(plain).collect()
}

fn named(figures: HashMap<String, u64>) -> Result<BTreeMap<String, u64>, AgentError> {
    if figures.len() > MAX_NAMED {
        return Err(invalid("Stats", format!("{} figures", figures.len())));
    }
    figures.keys().try_for_each(|name| check_name(name))?;
    Ok(figures.into_iter().collect())
}

/// Names go into tables and JSON that people and programs read.
fn check_name(name: &str) -> Result<(), AgentError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(invalid(
        "Stats",
        format!("figure with a name of {} bytes", name.len()),
    ))
}
