//! Topology and masked features.

use kvm_bindings::kvm_cpuid_entry2;

use super::{HYPERCALL_FEATURES, fix, with_topology_levels};
use crate::api::config::KvmKind;

fn leaf(function: u32, index: u32, eax: u32, ecx: u32) -> kvm_cpuid_entry2 {
    kvm_cpuid_entry2 {
        function,
        index,
        eax,
        ecx,
        ..Default::default()
    }
}

fn fixed(mut entry: kvm_cpuid_entry2, id: u8, count: u8) -> kvm_cpuid_entry2 {
    fix(&mut entry, KvmKind::Hardware, id, count);
    entry
}

#[test]
fn apic_id_is_the_same_in_every_leaf() {
    let (id, count) = (5, 6);
    assert_eq!(fixed(leaf(1, 0, 0, 0), id, count).ebx >> 24, 5);
    assert_eq!(fixed(leaf(0xb, 0, 0, 0), id, count).edx, 5);
    assert_eq!(fixed(leaf(0x1f, 1, 0, 0), id, count).edx, 5);
    assert_eq!(fixed(leaf(0x8000_001e, 0, 0, 0), id, count).eax, 5);
}

#[test]
fn counts_of_cpus_agree() {
    let count = 6;
    assert_eq!((fixed(leaf(1, 0, 0, 0), 0, count).ebx >> 16) & 0xff, 6);
    let cores = fixed(leaf(0xb, 1, 0, 0), 0, count);
    assert_eq!((cores.eax, cores.ebx, cores.ecx), (3, 6, 0x201));
    let threads = fixed(leaf(0xb, 0, 0, 0), 0, count);
    assert_eq!((threads.eax, threads.ebx, threads.ecx), (0, 1, 0x100));
    let end = fixed(leaf(0xb, 2, 7, 7), 0, count);
    assert_eq!((end.eax, end.ebx, end.ecx), (0, 0, 2));
    let amd = fixed(leaf(0x8000_0008, 0, 0, 0xffff), 0, count);
    assert_eq!(amd.ecx & 0xff, 5);
    assert_eq!((amd.ecx >> 12) & 0xf, 3);
}

#[test]
fn topology_leaf_gets_all_its_levels_once() {
    let supported = [
        leaf(1, 0, 0, 0),
        leaf(0xb, 0, 0, 0),
        leaf(0xb, 1, 9, 9),
        leaf(0xd, 0, 0, 0),
        leaf(0xd, 1, 0, 0),
    ];
    let entries: Vec<_> = with_topology_levels(&supported)
        .iter()
        .map(|entry| (entry.function, entry.index))
        .collect();
    let expected = [(1, 0), (0xb, 0), (0xb, 1), (0xb, 2), (0xd, 0), (0xd, 1)];
    assert_eq!(entries, expected);
}

#[test]
fn caches_are_private_up_to_level_two() {
    for (function, core_ids) in [(4, 3 << 26), (0x8000_001d, 0)] {
        let second = fixed(leaf(function, 2, (2 << 5) | 3, 0), 0, 4).eax;
        assert_eq!(second, core_ids | (2 << 5) | 3, "{function:#x}");
        let third = fixed(leaf(function, 3, (3 << 5) | 3, 0), 0, 4).eax;
        assert_eq!(third, core_ids | (3 << 14) | (3 << 5) | 3, "{function:#x}");
        // Type 0: no more caches.
        assert_eq!(fixed(leaf(function, 4, 0, 0), 0, 4).eax, 0);
    }
}

#[test]
fn one_cpu_claims_no_others() {
    let entry = fixed(leaf(1, 0, 0, 0), 0, 1);
    assert_eq!(entry.edx & (1 << 28), 0);
    assert_ne!(entry.ecx & (1 << 31), 0);
    assert_eq!(fixed(leaf(0xb, 1, 0, 0), 0, 1).eax, 0);
}

#[test]
fn hypercall_features_are_hidden_where_hypercalls_hang() {
    let all = leaf(0x4000_0001, 0, u32::MAX, 0);
    assert_eq!(fixed(all, 0, 1).eax, u32::MAX);
    let mut masked = all;
    fix(&mut masked, KvmKind::Interpreting, 0, 1);
    assert_eq!(masked.eax, !HYPERCALL_FEATURES);
    // The clock stays.
    assert_ne!(masked.eax & (1 << 3), 0);
}
