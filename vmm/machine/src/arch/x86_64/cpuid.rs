//! CPUID: what this host's KVM supports, with the topology of this machine.
//!
//! Nothing here assumes a vendor: a leaf is only changed where the host has it.

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};

use super::error::ArchError;
use crate::api::config::KvmKind;

/// Leaf 1, ECX.
const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;
/// Leaf 1, EDX: the count of logical CPUs in EBX is valid.
const HTT: u32 = 1 << 28;

/// `KVM_FEATURE_*` (Documentation/virt/kvm/x86/cpuid.rst) that make a guest use hypercalls: yielding and kicking
/// (PV_UNHALT 7), PV_TLB_FLUSH 9, PV_SEND_IPI 11, PV_SCHED_YIELD 13, MAP_GPA_RANGE 16.
const HYPERCALL_FEATURES: u32 = (1 << 7) | (1 << 9) | (1 << 11) | (1 << 13) | (1 << 16);

/// The features of vCPU `id` of `count`, from what KVM supports.
pub(super) fn for_vcpu(
    supported: &CpuId,
    kind: KvmKind,
    id: u8,
    count: u8,
) -> Result<CpuId, ArchError> {
    let mut entries = with_topology_levels(supported.as_slice());
    for entry in &mut entries {
        fix(entry, kind, id, count);
    }
    CpuId::from_entries(&entries).map_err(|_| ArchError::CpuidEntries(entries.len()))
}

/// KVM names the topology leaves at most once: their levels are this machine's to fill.
fn with_topology_levels(supported: &[kvm_cpuid_entry2]) -> Vec<kvm_cpuid_entry2> {
    let is_topology = |entry: &kvm_cpuid_entry2| matches!(entry.function, 0xb | 0x1f);
    let mut entries = Vec::with_capacity(supported.len() + 4);
    for entry in supported {
        if !is_topology(entry) {
            entries.push(*entry);
        } else if entry.index == 0 {
            let level = |index| kvm_cpuid_entry2 {
                index,
                flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                ..*entry
            };
            entries.extend([level(0), level(1), level(2)]);
        }
    }
    entries
}

/// Bits of an APIC id that number CPUs within the one package.
fn topology_bits(count: u8) -> u32 {
    u32::from(count).next_power_of_two().trailing_zeros()
}

fn fix(entry: &mut kvm_cpuid_entry2, kind: KvmKind, id: u8, count: u8) {
    let (id, count_wide) = (u32::from(id), u32::from(count));
    match entry.function {
        0x1 => {
            entry.ebx = (entry.ebx & 0xffff) | (count_wide << 16) | (id << 24);
            entry.ecx |= HYPERVISOR | TSC_DEADLINE;
            entry.edx = with_bit(entry.edx, HTT, count > 1);
        }
        // Intel's caches: no threads share a core, all CPUs share the last level.
        0x4 if entry.eax & 0x1f != 0 => {
            let level = (entry.eax >> 5) & 7;
            let sharing = if level >= 3 { count_wide - 1 } else { 0 };
            entry.eax = (entry.eax & 0x3fff) | (sharing << 14) | ((count_wide - 1) << 26);
        }
        0xb | 0x1f => extended_topology(entry, id, count),
        // KVM's own leaf.
        0x4000_0001 if kind == KvmKind::Interpreting => entry.eax &= !HYPERCALL_FEATURES,
        0x8000_0008 => {
            entry.ecx = (entry.ecx & !0xf0ff) | (topology_bits(count) << 12) | (count_wide - 1);
        }
        // AMD's caches.
        0x8000_001d if entry.eax & 0x1f != 0 => {
            let level = (entry.eax >> 5) & 7;
            let sharing = if level >= 3 { count_wide - 1 } else { 0 };
            entry.eax = (entry.eax & 0x3fff) | (sharing << 14);
        }
        // AMD's extended APIC id: one thread a core, one node.
        0x8000_001e => {
            entry.eax = id;
            entry.ebx = id & 0xff;
            entry.ecx = 0;
        }
        _ => {}
    }
}

/// Leaves 0xb and 0x1f: one thread a core (level 0), all cores in one package (level 1).
fn extended_topology(entry: &mut kvm_cpuid_entry2, id: u32, count: u8) {
    let (shift, cpus, kind) = match entry.index {
        0 => (0, 1, 1),
        1 => (topology_bits(count), u32::from(count), 2),
        _ => (0, 0, 0),
    };
    entry.eax = shift;
    entry.ebx = cpus;
    entry.ecx = entry.index | (kind << 8);
    entry.edx = id;
}

fn with_bit(value: u32, bit: u32, set: bool) -> u32 {
    if set { value | bit } else { value & !bit }
}

#[cfg(test)]
#[path = "tests/cpuid.rs"]
mod tests;
