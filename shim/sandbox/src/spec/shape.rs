//! The machine for a container: the smallest shape of the ladder that its limits fit into.
//!
//! A machine has as many vCPUs as the CPU limit rounded up, and memory for the limit plus what the guest itself needs;
//! the exact limits are the guest's cgroup. Without limits it is the smallest shape. Above the ladder the machine is cut to size.

use oci_spec::runtime::Spec;

use super::error::SpecError;
use super::options::Shape;

/// Shapes that templates are kept for: vCPUs and MiB.
const LADDER: [(u8, u32); 7] = [
    (1, 256),
    (1, 512),
    (2, 1024),
    (2, 2048),
    (4, 4096),
    (4, 8192),
    (8, 16_384),
];
/// What a guest needs beside its containers: kernel, agent, page tables and page descriptors (1/64 of memory).
const GUEST_MIB: u64 = 64;
const GUEST_SHARE: u64 = 32;
/// Steps above the ladder.
const STEP_MIB: u64 = 256;
const MIB: u64 = 1 << 20;
const MAX_VCPUS: u8 = 32;
const MAX_MEMORY_MIB: u64 = 4 << 20;
const DEFAULT_PERIOD_US: u64 = 100_000;

/// The machine for a container with these limits.
///
/// # Errors
/// More CPUs or memory than a machine can have.
pub fn shape(spec: &Spec) -> Result<Shape, SpecError> {
    let resources = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.resources().as_ref());
    let cpu = resources.and_then(|resources| resources.cpu().as_ref());
    let millis = cpu.and_then(|cpu| {
        let quota = cpu.quota().and_then(|quota| u64::try_from(quota).ok())?;
        let period = cpu
            .period()
            .filter(|period| *period > 0)
            .unwrap_or(DEFAULT_PERIOD_US);
        (quota > 0).then(|| quota.saturating_mul(1000).div_ceil(period))
    });
    let memory = resources.and_then(|resources| resources.memory().as_ref());
    let bytes = memory
        .and_then(|memory| memory.limit())
        .and_then(|limit| u64::try_from(limit).ok());
    let vcpus = vcpus(millis.unwrap_or(0))?;
    let needed = bytes.map(|bytes| bytes.div_ceil(MIB)).unwrap_or(0);
    let needed = if needed == 0 {
        0
    } else {
        needed + GUEST_MIB + needed / GUEST_SHARE
    };
    let fits = |(cpus, mib): &&(u8, u32)| *cpus >= vcpus && u64::from(*mib) >= needed;
    if let Some((vcpus, memory_mib)) = LADDER.iter().find(fits).copied() {
        return Ok(Shape { vcpus, memory_mib });
    }
    let memory_mib = needed
        .max(u64::from(LADDER[0].1))
        .next_multiple_of(STEP_MIB);
    if memory_mib > MAX_MEMORY_MIB {
        let max = MAX_MEMORY_MIB * MIB;
        return Err(SpecError::Memory {
            given: bytes.unwrap_or(0),
            min: 0,
            max,
        });
    }
    let memory_mib = u32::try_from(memory_mib).unwrap_or(u32::MAX);
    Ok(Shape { vcpus, memory_mib })
}

fn vcpus(millis: u64) -> Result<u8, SpecError> {
    let vcpus = u8::try_from(millis.div_ceil(1000).max(1))
        .ok()
        .filter(|cpus| *cpus <= MAX_VCPUS);
    let max = u64::from(MAX_VCPUS) * 1000;
    vcpus.ok_or(SpecError::Cpus {
        given: millis,
        min: 1,
        max,
    })
}
