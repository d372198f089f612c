//! From a checked profile to a program.

use std::collections::HashMap;

use super::{
    arguments::emit_rules,
    profile::{Profile, ProfileError},
    program::{Emitter, JUMP_EQUAL, LOAD, Program, Target},
    rules::{Rule, Verdict},
    tree::{Leaf, Range, emit_tree},
};

/// `AUDIT_ARCH_X86_64`.
const X86_64: u32 = 0xc000_003e;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// Numbers from here on are those of the x32 ABI, which no guest has.
const X32: u32 = 0x4000_0000;

/// A number that a tracer or a prober uses to make no call at all, and no call of x32.
const NO_CALL: u32 = u32::MAX;

const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const NOT_IMPLEMENTED: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();

/// Makes the program of a profile.
pub(crate) fn compile(profile: &Profile) -> Result<Program, ProfileError> {
    let (ranges, rules) = merged(profile);
    let mut emitter = Emitter::default();
    let mut emitted: Vec<Option<Target>> = vec![None; rules.len()];
    let mut target = |emitter: &mut Emitter, leaf| match leaf {
        Leaf::Return(value) => Ok(Target::Return(value)),
        Leaf::Rules(index) => match emitted.get(index).copied().flatten() {
            Some(target) => Ok(target),
            None => {
                let list = rules.get(index).copied().unwrap_or_default();
                let target = emit_rules(emitter, list, profile.default)?;
                if let Some(place) = emitted.get_mut(index) {
                    *place = Some(target);
                }
                Ok(target)
            }
        },
    };
    let tree = emit_tree(&mut emitter, &ranges, u32::MAX, &mut target)?;
    let numbers = emitter.step(LOAD, NUMBER, tree)?;
    let checked = emitter.branch(JUMP_EQUAL, X86_64, numbers, Target::Return(KILL))?;
    emitter.step(LOAD, ARCHITECTURE, checked)?;
    Ok(Program {
        instructions: emitter.finish(),
        flags: profile.flags,
    })
}

/// All numbers there are, neighbours with the same verdict as one range, and the lists of rules that ranges name.
fn merged(profile: &Profile) -> (Vec<Range>, Vec<&[Rule]>) {
    let mut ranges = Ranges::default();
    let mut lists = Lists::default();
    ranges.from(0, Leaf::Return(profile.default));
    for (&number, verdict) in &profile.calls {
        ranges.from(number, lists.leaf(verdict));
        ranges.from(number + 1, Leaf::Return(profile.default));
    }
    if let Some(unknown) = profile.unknown {
        ranges.from(unknown, Leaf::Return(NOT_IMPLEMENTED));
    }
    let beyond = ranges.last();
    ranges.from(X32, Leaf::Return(KILL));
    if let Some(beyond) = beyond {
        ranges.from(NO_CALL, beyond);
    }
    (ranges.0, lists.lists)
}

/// Ranges, in ascending order.
#[derive(Default)]
struct Ranges(Vec<Range>);

impl Ranges {
    fn last(&self) -> Option<Leaf> {
        self.0.last().map(|range| range.leaf)
    }

    /// Numbers from here on come to this.
    fn from(&mut self, first: u32, leaf: Leaf) {
        // What was said about the same number before is void.
        if self.0.last().is_some_and(|range| range.first == first) {
            self.0.pop();
        }
        if self.last() != Some(leaf) {
            self.0.push(Range { first, leaf });
        }
    }
}

/// Lists of rules, each once.
#[derive(Default)]
struct Lists<'a> {
    lists: Vec<&'a [Rule]>,
    known: HashMap<&'a [Rule], usize>,
}

impl<'a> Lists<'a> {
    fn leaf(&mut self, verdict: &'a Verdict) -> Leaf {
        match verdict {
            Verdict::Always(value) => Leaf::Return(*value),
            Verdict::Matched(rules) => {
                let next = self.lists.len();
                let index = *self.known.entry(rules).or_insert(next);
                if index == next {
                    self.lists.push(rules);
                }
                Leaf::Rules(index)
            }
        }
    }
}
