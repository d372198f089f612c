//! From `linux.resources` to values of cgroup v2 files, with runc's rules for what cgroup v1 called otherwise.

use oci_spec::runtime::{LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxPids, LinuxResources};

use super::{
    error::ResourceError,
    io,
    settings::{Limits, Setting},
};

/// Fields of cgroup v1 without a counterpart.
const V1_ONLY: &str = "cgroup v2 has no such limit";

/// Translates everything but the device rules.
///
/// # Errors
/// The first field that makes no sense or that the guest cannot hold.
pub(crate) fn limits(resources: &LinuxResources) -> Result<Limits, ResourceError> {
    let mut limits = Limits::default();
    if let Some(memory) = resources.memory() {
        self::memory(memory, &mut limits)?;
    }
    if let Some(cpu) = resources.cpu() {
        self::cpu(cpu, &mut limits)?;
    }
    if let Some(pids) = resources.pids() {
        self::pids(*pids, &mut limits)?;
    }
    if let Some(block_io) = resources.block_io() {
        io::translate(block_io, &mut limits)?;
    }
    for (index, limit) in resources.hugepage_limits().iter().flatten().enumerate() {
        hugepages(index, limit)?;
    }
    if let Some(network) = resources.network() {
        if network.class_id().is_some_and(|class| class != 0) {
            limits.ignore("network.classID", V1_ONLY);
        }
        if network.priorities().iter().flatten().next().is_some() {
            limits.ignore("network.priorities", V1_ONLY);
        }
    }
    if let Some(device) = resources.rdma().iter().flat_map(|rdma| rdma.keys()).min() {
        let what = format!("rdma: the guest has no RDMA device {device:?}");
        return Err(ResourceError::Unsupported(what));
    }
    unified(resources, &mut limits)?;
    Ok(limits)
}

/// A size of cgroup v1: -1 is no limit, 0 is not set.
fn size(field: &str, value: i64) -> Result<Option<String>, ResourceError> {
    match value {
        0 => Ok(None),
        -1 => Ok(Some("max".to_owned())),
        value if value > 0 => Ok(Some(value.to_string())),
        value => Err(ResourceError::Invalid(format!(
            "{field}: {value} is neither a size nor -1"
        ))),
    }
}

fn memory(memory: &LinuxMemory, limits: &mut Limits) -> Result<(), ResourceError> {
    let limit = memory.limit().unwrap_or(0);
    let swap = memory.swap().unwrap_or(0);
    let limit_value = size("memory.limit", limit)?;
    // The limit of memory and swap together must never be below that of memory alone.
    if let Some(value) = swap_limit(limit, swap)? {
        limits.early("memory.swap.max", value, "memory.swap");
    }
    if let Some(value) = limit_value {
        limits.early("memory.max", value, "memory.limit");
    }
    let reservation = memory.reservation().unwrap_or(0);
    if let Some(value) = size("memory.reservation", reservation)? {
        limits.early("memory.low", value, "memory.reservation");
    }
    let ignored = [
        ("memory.kernel", memory.kernel().is_some_and(|v| v != 0)),
        (
            "memory.kernelTCP",
            memory.kernel_tcp().is_some_and(|v| v != 0),
        ),
        ("memory.swappiness", memory.swappiness().is_some()),
        (
            "memory.disableOOMKiller",
            memory.disable_oom_killer() == Some(true),
        ),
        ("memory.useHierarchy", memory.use_hierarchy() == Some(false)),
    ];
    for (field, _) in ignored.into_iter().filter(|(_, given)| *given) {
        limits.ignore(field, V1_ONLY);
    }
    Ok(())
}

/// cgroup v1 limits the sum of memory and swap, v2 swap alone.
fn swap_limit(limit: i64, swap: i64) -> Result<Option<String>, ResourceError> {
    match (limit, swap) {
        (-1, 0) | (_, -1) => Ok(Some("max".to_owned())),
        (_, 0) => Ok(None),
        (0 | -1, _) => Err(ResourceError::Invalid(format!(
            "memory.swap: {swap} without a memory limit"
        ))),
        (limit, swap) if swap < limit => Err(ResourceError::Invalid(format!(
            "memory.swap: {swap} is less than the memory limit {limit}"
        ))),
        // Both are positive here.
        (limit, swap) => Ok(Some((swap - limit).to_string())),
    }
}

/// Period of `cpu.max` that the kernel starts with, in microseconds.
const DEFAULT_PERIOD_US: u64 = 100_000;

fn cpu(cpu: &LinuxCpu, limits: &mut Limits) -> Result<(), ResourceError> {
    let realtime = [
        (
            "cpu.realtimeRuntime",
            cpu.realtime_runtime().is_some_and(|v| v != 0),
        ),
        (
            "cpu.realtimePeriod",
            cpu.realtime_period().is_some_and(|v| v != 0),
        ),
    ];
    if let Some((field, _)) = realtime.iter().find(|(_, given)| *given) {
        return Err(ResourceError::Unsupported(format!("{field}: {V1_ONLY}")));
    }
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        limits.early(
            "cpu.weight",
            weight_of_shares(shares).to_string(),
            "cpu.shares",
        );
    }
    match cpu.idle() {
        None => {}
        Some(idle @ 0..=1) => limits.early("cpu.idle", idle.to_string(), "cpu.idle"),
        Some(idle) => {
            let what = format!("cpu.idle: {idle} is neither 0 nor 1");
            return Err(ResourceError::Invalid(what));
        }
    }
    let (quota, period) = (cpu.quota().unwrap_or(0), cpu.period().unwrap_or(0));
    if quota != 0 || period != 0 {
        let share = match quota {
            quota if quota > 0 => quota.to_string(),
            _ => "max".to_owned(),
        };
        let period = if period == 0 {
            DEFAULT_PERIOD_US
        } else {
            period
        };
        let field = if quota > 0 { "cpu.quota" } else { "cpu.period" };
        limits.late("cpu.max", format!("{share} {period}"), field);
    }
    if let Some(burst) = cpu.burst() {
        limits.late("cpu.max.burst", burst.to_string(), "cpu.burst");
    }
    let sets = [
        ("cpuset.cpus", cpu.cpus(), "cpu.cpus"),
        ("cpuset.mems", cpu.mems(), "cpu.mems"),
    ];
    for (file, list, field) in sets {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            check_list(field, list)?;
            limits.early(file, list.as_str(), field);
        }
    }
    Ok(())
}

/// The curve that container engines agree on: the ends and the default of v1 (2, 1024, 262144) meet those of v2 (1, 100, 10000).
fn weight_of_shares(shares: u64) -> u64 {
    const LEAST: u64 = 2;
    const MOST: u64 = 262_144;
    if shares <= LEAST {
        return 1;
    }
    if shares >= MOST {
        return 10_000;
    }
    // Exact below 2^53, and shares is below 2^18.
    let shares = u32::try_from(shares).map_or(0.0, f64::from);
    let log = shares.log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    let weight = 10_f64.powf(exponent);
    // Rounded up.
    (1..=10_000_u32)
        .find(|&candidate| f64::from(candidate) >= weight)
        .map_or(10_000, u64::from)
}

/// Numbers and ranges, as in "0-3,7".
fn check_list(field: &str, list: &str) -> Result<(), ResourceError> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => number(first) <= number(last) && number(first).is_some(),
        None => number(part).is_some(),
    };
    if list.split(',').all(part) {
        Ok(())
    } else {
        Err(ResourceError::Invalid(format!(
            "{field}: {list:?} is no list of numbers and ranges"
        )))
    }
}

fn pids(pids: LinuxPids, limits: &mut Limits) -> Result<(), ResourceError> {
    if let Some(value) = size("pids.limit", pids.limit())? {
        // Late: what makes a container are two processes for a moment, and one may be allowed.
        limits.late("pids.max", value, "pids.limit");
    }
    Ok(())
}

/// Orchestrators name every size with 0: that much is what a guest without huge pages gives.
fn hugepages(index: usize, limit: &LinuxHugepageLimit) -> Result<(), ResourceError> {
    match limit.limit() {
        0 => Ok(()),
        bytes => Err(ResourceError::Unsupported(format!(
            "hugepageLimits[{index}].limit: {bytes} bytes in pages of {:?}: the guest has no huge pages to give",
            limit.page_size()
        ))),
    }
}

/// Files of a controller as they are; what makes the cgroup a cgroup is the agent's.
fn unified(resources: &LinuxResources, limits: &mut Limits) -> Result<(), ResourceError> {
    let mut wanted: Vec<_> = resources.unified().iter().flatten().collect();
    wanted.sort();
    for (file, value) in wanted {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_file = file.contains('.') && file.bytes().all(plain) && !file.starts_with('.');
        if !is_file {
            return Err(ResourceError::Invalid(format!(
                "unified: {file:?} is no name of a cgroup file"
            )));
        }
        if file.starts_with("cgroup.") && !file.starts_with("cgroup.max.") {
            let what = format!("unified: {file} belongs to the agent");
            return Err(ResourceError::Unsupported(what));
        }
        let setting = Setting::new(file.as_str(), value.as_str(), format!("unified.{file}"));
        if file.starts_with("cpu.max") || file == "pids.max" {
            limits.late.push(setting);
        } else {
            limits.early.push(setting);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
