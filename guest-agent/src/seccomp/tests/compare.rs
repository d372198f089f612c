//! Our program and libseccomp's give the same verdict on every call that could make a difference.

use std::collections::BTreeSet;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompArg};

use super::{
    interpreter::{Call, X86_64, run},
    libseccomp::Oracle,
    profiles,
};
use crate::seccomp::{Profile, Program, compile, syscalls::number};

/// Numbers beside those that kernels know.
const FAR: [u32; 9] = [
    1_000,
    0x3fff_ffff,
    0x4000_0000,
    0x4000_0001,
    0x4000_0208,
    0x7fff_ffff,
    0x8000_0000,
    0xc000_0000,
    0xffff_fffe,
];

pub(super) fn compiled(seccomp: &LinuxSeccomp) -> Program {
    compile(&Profile::new(seccomp).unwrap()).unwrap()
}

/// Panics on the first call that the two programs do not agree about.
pub(super) fn assert_agrees(name: &str, seccomp: &LinuxSeccomp, oracle: &Oracle) {
    let program = compiled(seccomp);
    let agree = |call: Call| {
        let (ours, _) = run(&program.instructions, &call);
        let theirs = oracle.verdict(&call);
        assert_eq!(
            ours, theirs,
            "{name}: ours {ours:#x}, libseccomp's {theirs:#x}: {call:x?}"
        );
    };
    for number in (0..=600).chain(0x4000_0000..=0x4000_0258).chain(FAR) {
        for arguments in [[0; 6], [1; 6], [u64::MAX; 6]] {
            agree(Call {
                arguments,
                ..Call::new(number)
            });
        }
    }
    for architecture in [0, 0x4000_0003, 0xc000_00b7, X86_64 ^ 1] {
        agree(Call {
            architecture,
            ..Call::new(0)
        });
    }
    let named = seccomp.syscalls().iter().flatten().flat_map(|entry| {
        let args = entry.args().is_some();
        entry.names().iter().filter(move |_| args)
    });
    for number in named
        .filter_map(|name| number(name))
        .collect::<BTreeSet<_>>()
    {
        for arguments in boundaries(seccomp, number) {
            agree(Call {
                arguments,
                ..Call::new(number)
            });
        }
    }
}

/// Everything around the values that rules of this call compare with: each argument alone through all of its values with
/// the others at rest, and beside every value of each other one.
pub(super) fn boundaries(seccomp: &LinuxSeccomp, of: u32) -> BTreeSet<[u64; 6]> {
    let args: Vec<LinuxSeccompArg> = seccomp
        .syscalls()
        .iter()
        .flatten()
        .filter(|entry| entry.names().iter().any(|name| number(name) == Some(of)))
        .flat_map(|entry| entry.args().clone().unwrap_or_default())
        .collect();
    let mut values: [BTreeSet<u64>; 6] = Default::default();
    let mut exact: [BTreeSet<u64>; 6] = Default::default();
    for arg in &args {
        values[arg.index()].extend(around(arg));
        exact[arg.index()].extend([arg.value(), arg.value_two().unwrap_or_default()]);
    }
    let mut all = BTreeSet::new();
    for (index, own) in values.iter().enumerate() {
        for &value in own {
            for (other, partners) in exact
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
            {
                for &partner in partners.iter().take(6).chain([&0, &u64::MAX]) {
                    let mut arguments = [0; 6];
                    arguments[other] = partner;
                    arguments[index] = value;
                    all.insert(arguments);
                }
            }
        }
    }
    all
}

fn around(arg: &LinuxSeccompArg) -> Vec<u64> {
    let (value, second) = (arg.value(), arg.value_two().unwrap_or_default());
    let mut around = vec![0, 1, u64::MAX, 1 << 31, 1 << 32, u64::from(u32::MAX)];
    for at in [value, second, value & second, second | !value] {
        let (low, high) = (at & 0xffff_ffff, at >> 32);
        around.extend([
            at,
            at.wrapping_sub(1),
            at.wrapping_add(1),
            !at,
            low,
            high << 32,
        ]);
        around.extend([
            high,
            low << 32,
            at ^ (1 << 32),
            at ^ (1 << 63),
            at ^ (1 << 31),
        ]);
        around.extend([
            (high.wrapping_sub(1) << 32) | low,
            (high.wrapping_add(1) << 32) | low,
        ]);
        around.extend([(high << 32) | (low ^ 1), at | 0xffff_ffff_0000_0000]);
    }
    // Each bit of a mask alone.
    around.extend(
        (0..64)
            .map(|bit| second ^ (1 << bit))
            .take(if arg.value_two().is_some() { 64 } else { 0 }),
    );
    around
}

#[test]
fn every_profile_gives_libseccomps_verdicts() {
    for (name, seccomp) in profiles::all() {
        let oracle = Oracle::new(&seccomp).unwrap_or_else(|_| panic!("{name}: refused"));
        assert_agrees(name, &seccomp, &oracle);
    }
}

/// libseccomp leaves it to the default action, runc's check of an x32 profile answers ENOSYS: so do we.
#[test]
fn number_of_no_call_is_unknown_and_not_x32() {
    let verdict = |seccomp: &LinuxSeccomp| {
        let program = compiled(seccomp);
        let below = run(&program.instructions, &Call::new(0xffff_fffe)).0;
        assert_eq!(below, libc::SECCOMP_RET_KILL_PROCESS);
        run(&program.instructions, &Call::new(u32::MAX)).0
    };
    assert_eq!(verdict(&profiles::docker(&[])), 0x0005_0000 | 38);
    let open = profiles::read(serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW"}));
    assert_eq!(verdict(&open), libc::SECCOMP_RET_ALLOW);
}
