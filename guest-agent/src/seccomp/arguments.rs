//! The part of a program that compares arguments: 64 bits, in two words.

use super::{
    profile::ProfileError,
    program::{
        AND, Emitter, JUMP_ANY_BIT, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD, Target,
    },
    rules::{Condition, Rule, Test},
};

/// Offsets in `struct seccomp_data`, and of the high word in an argument.
const ARGUMENTS: u32 = 16;
const ARGUMENT_BYTES: u32 = 8;
const HIGH_WORD: u32 = 4;

/// Tries the rules in their order.
pub(super) fn emit_rules(
    emitter: &mut Emitter,
    rules: &[Rule],
    default: u32,
) -> Result<Target, ProfileError> {
    let mut next = Target::Return(default);
    let mut rest = rules;
    while let Some((last, before)) = rest.split_last() {
        let values = equal_values(rest);
        if values.len() > 1 {
            next = emit_equal(emitter, &values, next)?;
            rest = rest.get(..rest.len() - values.len()).unwrap_or_default();
        } else {
            next = emit_rule(emitter, last, next)?;
            rest = before;
        }
    }
    Ok(next)
}

/// A rule's only condition: an argument's value.
#[derive(Clone, Copy)]
struct EqualValue {
    argument: u8,
    value: u64,
    action: u32,
}

impl EqualValue {
    fn of(rule: &Rule) -> Option<Self> {
        match *rule.conditions.as_slice() {
            [
                Condition {
                    argument,
                    test: Test::Equal(value),
                },
            ] => Some(Self {
                argument,
                value,
                action: rule.action,
            }),
            _ => None,
        }
    }

    fn shares_words(&self, other: &Self) -> bool {
        self.argument == other.argument && high(self.value) == high(other.value)
    }
}

/// The rules at the end that compare one argument with values of one high word: they need its words only once.
fn equal_values(rules: &[Rule]) -> Vec<EqualValue> {
    let mut values: Vec<EqualValue> = Vec::new();
    for rule in rules.iter().rev() {
        match EqualValue::of(rule) {
            Some(value)
                if values
                    .first()
                    .is_none_or(|first| first.shares_words(&value)) =>
            {
                values.push(value);
            }
            _ => break,
        }
    }
    values
}

/// The values come last rule first, as the program grows.
fn emit_equal(
    emitter: &mut Emitter,
    values: &[EqualValue],
    otherwise: Target,
) -> Result<Target, ProfileError> {
    let Some(first) = values.first() else {
        return Ok(otherwise);
    };
    let mut next = otherwise;
    for value in values {
        let found = Target::Return(value.action);
        next = emitter.branch(JUMP_EQUAL, low(value.value), found, next)?;
    }
    next = emitter.step(LOAD, low_word(first.argument), next)?;
    next = emitter.branch(JUMP_EQUAL, high(first.value), next, otherwise)?;
    emitter.step(LOAD, high_word(first.argument), next)
}

fn emit_rule(
    emitter: &mut Emitter,
    rule: &Rule,
    otherwise: Target,
) -> Result<Target, ProfileError> {
    let mut next = Target::Return(rule.action);
    for condition in rule.conditions.iter().rev() {
        next = emit_condition(emitter, *condition, next, otherwise)?;
    }
    Ok(next)
}

fn emit_condition(
    emitter: &mut Emitter,
    Condition { argument, test }: Condition,
    holds: Target,
    fails: Target,
) -> Result<Target, ProfileError> {
    let (code, value, holds, fails) = match test {
        Test::Masked { mask, value } => {
            return emit_masked(emitter, (argument, mask, value), holds, fails);
        }
        Test::Equal(value) => (JUMP_EQUAL, value, holds, fails),
        Test::NotEqual(value) => (JUMP_EQUAL, value, fails, holds),
        Test::GreaterOrEqual(value) => (JUMP_GREATER_OR_EQUAL, value, holds, fails),
        Test::Less(value) => (JUMP_GREATER_OR_EQUAL, value, fails, holds),
        Test::Greater(value) => (JUMP_GREATER, value, holds, fails),
        Test::LessOrEqual(value) => (JUMP_GREATER, value, fails, holds),
    };
    let next = emitter.branch(code, low(value), holds, fails)?;
    let next = emitter.step(LOAD, low_word(argument), next)?;
    let next = emitter.branch(JUMP_EQUAL, high(value), next, fails)?;
    let next = if code == JUMP_EQUAL {
        next
    } else {
        emitter.branch(JUMP_GREATER, high(value), holds, next)?
    };
    emitter.step(LOAD, high_word(argument), next)
}

/// A word of which the mask leaves nothing is not looked at.
fn emit_masked(
    emitter: &mut Emitter,
    (argument, mask, value): (u8, u64, u64),
    holds: Target,
    fails: Target,
) -> Result<Target, ProfileError> {
    let words = [
        (low_word(argument), low(mask), low(value)),
        (high_word(argument), high(mask), high(value)),
    ];
    let mut next = holds;
    for (offset, mask, value) in words {
        next = match (mask, value) {
            (0, _) => continue,
            (u32::MAX, _) => emitter.branch(JUMP_EQUAL, value, next, fails)?,
            (_, 0) => emitter.branch(JUMP_ANY_BIT, mask, fails, next)?,
            _ => {
                let equal = emitter.branch(JUMP_EQUAL, value, next, fails)?;
                emitter.step(AND, mask, equal)?
            }
        };
        next = emitter.step(LOAD, offset, next)?;
    }
    Ok(next)
}

fn low_word(argument: u8) -> u32 {
    ARGUMENTS + ARGUMENT_BYTES * u32::from(argument)
}

fn high_word(argument: u8) -> u32 {
    low_word(argument) + HIGH_WORD
}

fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn high(value: u64) -> u32 {
    low(value >> 32)
}
