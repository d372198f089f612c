//! The part of a program that finds the range of numbers in which a call's number is: a binary search tree.
//!
//! When a filter is loaded, the kernel interprets it once for every number that it knows, to learn which calls are
//! always allowed. So every number weighs the same and a range weighs what numbers of the kernel it holds.

use super::{
    profile::ProfileError,
    program::{Emitter, JUMP_EQUAL, JUMP_GREATER_OR_EQUAL, Target},
};

/// No kernel of today has as many calls.
const KERNEL_CALLS: u32 = 512;

/// Numbers from `first` up to the next range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) leaf: Leaf,
}

/// What a range comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaf {
    /// A value to return.
    Return(u32),
    /// The rules with this index.
    Rules(usize),
}

/// Puts the tree over ranges, the last of which goes up to `end`. `target` makes the leaves.
pub(super) fn emit_tree(
    emitter: &mut Emitter,
    ranges: &[Range],
    end: u32,
    target: &mut impl FnMut(&mut Emitter, Leaf) -> Result<Target, ProfileError>,
) -> Result<Target, ProfileError> {
    match ranges {
        [] => Ok(Target::Return(libc::SECCOMP_RET_KILL_PROCESS)),
        [one] => target(emitter, one.leaf),
        [around, lone, rest @ ..] if is_lone(around, lone, rest) => {
            let others = emit_tree(emitter, rest, end, target)?;
            let found = target(emitter, lone.leaf)?;
            emitter.branch(JUMP_EQUAL, lone.first, found, others)
        }
        _ => {
            let (below, above) = ranges.split_at(middle(ranges, end));
            let first = above.first().map_or(end, |range| range.first);
            let above = emit_tree(emitter, above, end, target)?;
            let below = emit_tree(emitter, below, first, target)?;
            emitter.branch(JUMP_GREATER_OR_EQUAL, first, above, below)
        }
    }
}

/// One number between two ranges of the same kind, of which the second is (almost) the last: one comparison with it
/// replaces two of the tree.
fn is_lone(around: &Range, lone: &Range, rest: &[Range]) -> bool {
    let Some(after) = rest.first() else {
        return false;
    };
    after.first - lone.first == 1 && after.leaf == around.leaf && rest.len() <= 3
}

/// Where the weights of both sides are closest to each other.
fn middle(ranges: &[Range], end: u32) -> usize {
    let weight_below = |number: u32| number.min(KERNEL_CALLS);
    let first = ranges.first().map_or(0, |range| range.first);
    let total = weight_below(end) - weight_below(first);
    let unevenness = |&split: &usize| {
        let before = ranges.get(split).map_or(0, |range| range.first);
        let below = weight_below(before) - weight_below(first);
        (2 * below).abs_diff(total)
    };
    (1..ranges.len()).min_by_key(unevenness).unwrap_or(1)
}
