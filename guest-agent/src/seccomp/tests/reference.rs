//! What a profile says about one call, told without making a program: libseccomp's documented meaning, rule by rule.
//!
//! libseccomp's own programs (2.5) lose rules when several of one call overlap: where a rule fails at a later
//! comparison, they may go on with the default action instead of the next rule. Its pseudo code export does not.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompArg, LinuxSeccompOperator};

use super::{interpreter::Call, libseccomp::action};
use crate::seccomp::syscalls::number;

/// The action for an x86_64 call that the profile's highest number does not exclude.
pub(super) fn verdict(profile: &LinuxSeccomp, call: &Call) -> u32 {
    let default = action(profile.default_action(), profile.default_errno_ret());
    let mut rules: Vec<(Vec<LinuxSeccompArg>, u32)> = Vec::new();
    for entry in profile.syscalls().iter().flatten() {
        let named = entry
            .names()
            .iter()
            .filter(|name| number(name) == Some(call.number))
            .count();
        let action = action(entry.action(), entry.errno_ret());
        if named == 0 || action == default {
            continue;
        }
        let args = entry.args().clone().unwrap_or_default();
        let twice = (0..6).any(|index| args.iter().filter(|arg| arg.index() == index).count() > 1);
        if twice {
            rules.extend(args.iter().map(|arg| (vec![*arg], action)));
        } else {
            rules.push((args, action));
        }
    }
    for (args, _) in &mut rules {
        args.retain(|arg| arg.op() != LinuxSeccompOperator::ScmpCmpMaskedEq || arg.value() != 0);
        args.sort_by_key(LinuxSeccompArg::index);
    }
    if let Some((_, action)) = rules.iter().find(|(args, _)| args.is_empty()) {
        return *action;
    }
    rules.retain(|(args, _)| {
        args.iter()
            .all(|arg| holds(arg, call.arguments[arg.index()]))
    });
    // The first of equals, as the profile has them.
    let first = rules
        .iter()
        .min_by_key(|(args, _)| args.iter().map(rank).collect::<Vec<_>>());
    first.map_or(default, |(_, action)| *action)
}

fn holds(arg: &LinuxSeccompArg, value: u64) -> bool {
    let with = arg.value();
    match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => value != with,
        LinuxSeccompOperator::ScmpCmpLt => value < with,
        LinuxSeccompOperator::ScmpCmpLe => value <= with,
        LinuxSeccompOperator::ScmpCmpEq => value == with,
        LinuxSeccompOperator::ScmpCmpGe => value >= with,
        LinuxSeccompOperator::ScmpCmpGt => value > with,
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            value & with == arg.value_two().unwrap_or_default() & with
        }
    }
}

/// The lowest is tried first.
fn rank(arg: &LinuxSeccompArg) -> (usize, u8, u64) {
    let value = arg.value();
    let (kind, by_value) = match arg.op() {
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            (0, u64::MAX - (arg.value_two().unwrap_or_default() & value))
        }
        LinuxSeccompOperator::ScmpCmpEq | LinuxSeccompOperator::ScmpCmpNe => (0, u64::MAX - value),
        LinuxSeccompOperator::ScmpCmpLt | LinuxSeccompOperator::ScmpCmpLe => (1, value),
        LinuxSeccompOperator::ScmpCmpGe | LinuxSeccompOperator::ScmpCmpGt => (2, u64::MAX - value),
    };
    (5 - arg.index(), kind, by_value)
}
