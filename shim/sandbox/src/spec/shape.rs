//! The machine for a container: cut to what its limits ask for.
//!
//! A machine has as many vCPUs as the CPU limit rounded up, and memory for the limit plus what the guest itself needs, never
//! less than the smallest machine; the exact limits are the guest's cgroup. Each machine boots by itself, and a boot pays for
//! all memory that it is given (a descriptor for each page), so that none is given that nobody asked for.

use oci_spec::runtime::Spec;

use super::error::SpecError;
use super::options::Shape;

/// The smallest machine, and that of a container without a memory limit.
const LEAST_MIB: u64 = 256;
/// What a guest needs beside its containers: kernel, agent, page tables and page descriptors (1/64 of memory), and for each
/// vCPU its own areas and the free pages that it keeps at hand.
const GUEST_MIB: u64 = 64;
const GUEST_SHARE: u64 = 32;
const VCPU_MIB: u64 = 8;
/// Memory comes in pieces of this size.
const STEP_MIB: u64 = 64;
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
    let asked = bytes.map_or(0, |bytes| bytes.div_ceil(MIB));
    let with_guest = (asked + asked / GUEST_SHARE + GUEST_MIB).max(LEAST_MIB);
    let memory_mib = (with_guest + u64::from(vcpus - 1) * VCPU_MIB).next_multiple_of(STEP_MIB);
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
