//! What the rules of one system call mean, and which comes first: libseccomp's order.
//!
//! A rule without conditions beats all others, and the first of them counts. Rules with conditions are tried until one
//! matches: those about a higher argument first, then equalities (`EQ`, `NE`, `MASKED_EQ`) before `LT` and `LE` before
//! `GE` and `GT`, the narrower bound before the wider, the greater value before the smaller, the shorter rule before one
//! that begins with it, and at last as the profile has them.

use std::{cmp::Reverse, collections::HashMap};

/// A comparison of an argument, as unsigned 64-bit numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// Of the bits in the mask.
    Masked {
        mask: u64,
        value: u64,
    },
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    GreaterOrEqual(u64),
    Greater(u64),
}

/// A condition of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    /// 0 to 5.
    pub(super) argument: u8,
    pub(super) test: Test,
}

impl Condition {
    /// Whether it is true of every value.
    fn is_idle(self) -> bool {
        matches!(self.test, Test::Masked { mask: 0, .. })
    }

    /// Less is tried first.
    fn order(self) -> impl Ord {
        let (kind, value) = match self.test {
            Test::Masked { mask, value } => (0, !(value & mask)),
            Test::Equal(value) | Test::NotEqual(value) => (0, !value),
            Test::Less(value) | Test::LessOrEqual(value) => (1, value),
            Test::GreaterOrEqual(value) | Test::Greater(value) => (2, !value),
        };
        (Reverse(self.argument), kind, value)
    }
}

/// All conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    /// Of different arguments, in their order.
    pub(super) conditions: Vec<Condition>,
    /// What the filter returns then.
    pub(super) action: u32,
}

/// What happens to one system call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Verdict {
    /// The same whatever its arguments are.
    Always(u32),
    /// By the first rule that matches, and as the profile's default if none does.
    Matched(Vec<Rule>),
}

/// Two rules demand different things of the same call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction;

impl Verdict {
    /// Of the rules of one call, in the profile's order.
    pub(super) fn of(rules: Vec<Rule>) -> Result<Self, Contradiction> {
        let mut actions = HashMap::new();
        let mut kept: Vec<Rule> = Vec::new();
        for mut rule in rules {
            rule.conditions.retain(|condition| !condition.is_idle());
            rule.conditions.sort_by_key(|condition| condition.argument);
            if rule.conditions.is_empty() {
                return Ok(Self::Always(rule.action));
            }
            match actions.insert(rule.conditions.clone(), rule.action) {
                Some(action) if action != rule.action => return Err(Contradiction),
                Some(_) => {}
                None => kept.push(rule),
            }
        }
        kept.sort_by_cached_key(|rule| -> Vec<_> {
            let conditions = rule.conditions.iter();
            conditions.map(|condition| condition.order()).collect()
        });
        Ok(Self::Matched(kept))
    }
}
