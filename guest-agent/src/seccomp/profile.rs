//! Reads `linux.seccomp` of a container's specification: what it says about each number, checked, in runc's meaning.

use std::collections::{BTreeMap, HashSet};

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator, LinuxSyscall,
};
use thiserror::Error;

use super::{
    rules::{Condition, Rule, Test, Verdict},
    syscalls::number,
};

/// Rules of all calls together; a program has room for far fewer, so more of them repeat each other.
const MAX_RULES: usize = 65_536;

/// The highest argument of a system call.
const MAX_ARGUMENT: usize = 5;

/// What the kernel lets an error be (`MAX_ERRNO`); beyond it the filter would return something else than was asked for.
const MAX_ERRNO: u32 = 4095;

/// Room for the tracer's message.
const MAX_TRACE: u32 = 0xffff;

/// Names that a warning lists.
const MAX_NAMES: usize = 8;

/// A checked profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// What the filter returns for a call that no rule matches.
    pub(super) default: u32,
    /// By number.
    pub(super) calls: BTreeMap<u32, Verdict>,
    /// Numbers from here on are answered with `ENOSYS`, so that programs fall back to what they know, whatever the
    /// kernel has learned since the profile was written.
    pub(super) unknown: Option<u32>,
    /// For seccomp(2).
    pub(super) flags: u32,
    warnings: Vec<String>,
}

/// Why a profile cannot be applied.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ProfileError {
    /// It is understood and not offered.
    #[error("{field} {value}")]
    Unsupported {
        /// Path of the field.
        field: String,
        /// What it says.
        value: String,
    },
    /// It makes no sense.
    #[error("{field} is {value}: {reason}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// What it says.
        value: String,
        /// Why that cannot be.
        reason: &'static str,
    },
    /// Two rules have the same conditions and different actions.
    #[error(
        "linux.seccomp.syscalls: two rules of {0} with equal conditions have different actions"
    )]
    Contradiction(String),
    /// Nothing that makes sense is that long.
    #[error("linux.seccomp.syscalls has more than {MAX_RULES} rules")]
    TooManyRules,
    /// The kernel takes no program of that length.
    #[error("linux.seccomp makes a program of more than {0} instructions, the kernel's limit")]
    TooLong(usize),
}

impl Profile {
    /// Checks and translates; the specification says nothing about a profile that runc would not do.
    pub(crate) fn new(seccomp: &LinuxSeccomp) -> Result<Self, ProfileError> {
        let default = action(
            "linux.seccomp.defaultAction",
            seccomp.default_action(),
            ("linux.seccomp.defaultErrnoRet", seccomp.default_errno_ret()),
        )?;
        let flags = flags(seccomp.flags().as_deref())?;
        let mut reading = Reading::default();
        for (index, entry) in seccomp.syscalls().iter().flatten().enumerate() {
            reading.entry(&format!("linux.seccomp.syscalls[{index}]"), entry, default)?;
        }
        let mut calls = BTreeMap::new();
        for (number, (name, rules)) in reading.rules {
            let verdict =
                Verdict::of(rules).map_err(|_| ProfileError::Contradiction(name.to_owned()))?;
            calls.insert(number, verdict);
        }
        let unknown = reading.highest.filter(|_| {
            is_restrictive(seccomp.default_action())
                && lists_x86_64(seccomp.architectures().as_deref())
        });
        let warnings = match reading.unenforced.len() {
            0 => Vec::new(),
            _ => vec![format!(
                "linux.seccomp: x86_64 has no system call {:?}",
                reading.unenforced
            )],
        };
        Ok(Self {
            default,
            calls,
            unknown: unknown.map(|highest| highest + 1),
            flags,
            warnings,
        })
    }

    /// What its author may want to know.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// What has been gathered from the entries so far.
#[derive(Default)]
struct Reading<'a> {
    /// Name and rules by number.
    rules: BTreeMap<u32, (&'a str, Vec<Rule>)>,
    count: usize,
    /// The highest number that is named; runc's search for it begins at 0 and takes 0 for "none".
    highest: Option<u32>,
    /// Names that were to be forbidden.
    unenforced: Vec<&'a str>,
}

impl<'a> Reading<'a> {
    fn entry(
        &mut self,
        field: &str,
        entry: &'a LinuxSyscall,
        default: u32,
    ) -> Result<(), ProfileError> {
        let action = action(
            &format!("{field}.action"),
            entry.action(),
            (&format!("{field}.errnoRet"), entry.errno_ret()),
        )?;
        let alternatives = alternatives(field, entry.args().as_deref().unwrap_or_default())?;
        for (index, name) in entry.names().iter().enumerate() {
            if name.is_empty() {
                return Err(ProfileError::Invalid {
                    field: format!("{field}.names[{index}]"),
                    value: "empty".to_owned(),
                    reason: "a system call has a name",
                });
            }
            // Profiles are written for every architecture and kernel: not to know a name is normal.
            let Some(number) = number(name) else {
                if is_restrictive(entry.action()) && self.unenforced.len() < MAX_NAMES {
                    self.unenforced.push(name);
                }
                continue;
            };
            self.highest = self.highest.max(Some(number).filter(|&number| number > 0));
            if action == default {
                continue;
            }
            self.count += alternatives.len();
            if self.count > MAX_RULES {
                return Err(ProfileError::TooManyRules);
            }
            let (_, rules) = self.rules.entry(number).or_insert((name, Vec::new()));
            rules.extend(alternatives.iter().map(|conditions| Rule {
                conditions: conditions.clone(),
                action,
            }));
        }
        Ok(())
    }
}

/// What the arguments of an entry ask for: all conditions together, or, when an argument occurs twice, each alone.
fn alternatives(
    field: &str,
    args: &[LinuxSeccompArg],
) -> Result<Vec<Vec<Condition>>, ProfileError> {
    let conditions: Vec<Condition> = args
        .iter()
        .enumerate()
        .map(|(index, arg)| condition(field, index, arg))
        .collect::<Result<_, _>>()?;
    let mut arguments = HashSet::new();
    let together = conditions
        .iter()
        .all(|condition| arguments.insert(condition.argument));
    Ok(if together {
        vec![conditions]
    } else {
        conditions.into_iter().map(|one| vec![one]).collect()
    })
}

fn condition(field: &str, index: usize, arg: &LinuxSeccompArg) -> Result<Condition, ProfileError> {
    let argument = u8::try_from(arg.index())
        .ok()
        .filter(|&argument| usize::from(argument) <= MAX_ARGUMENT)
        .ok_or_else(|| ProfileError::Invalid {
            field: format!("{field}.args[{index}].index"),
            value: arg.index().to_string(),
            reason: "a system call has the arguments 0 to 5",
        })?;
    let value = arg.value();
    let test = match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => Test::NotEqual(value),
        LinuxSeccompOperator::ScmpCmpLt => Test::Less(value),
        LinuxSeccompOperator::ScmpCmpLe => Test::LessOrEqual(value),
        LinuxSeccompOperator::ScmpCmpEq => Test::Equal(value),
        LinuxSeccompOperator::ScmpCmpGe => Test::GreaterOrEqual(value),
        LinuxSeccompOperator::ScmpCmpGt => Test::Greater(value),
        // libseccomp compares what the mask leaves of either.
        LinuxSeccompOperator::ScmpCmpMaskedEq => Test::Masked {
            mask: value,
            value: arg.value_two().unwrap_or_default() & value,
        },
    };
    Ok(Condition { argument, test })
}

/// What the filter returns for it.
fn action(
    field: &str,
    action: LinuxSeccompAction,
    (number_field, number): (&str, Option<u32>),
) -> Result<u32, ProfileError> {
    let highest = match action {
        LinuxSeccompAction::ScmpActErrno => Some(MAX_ERRNO),
        LinuxSeccompAction::ScmpActTrace => Some(MAX_TRACE),
        _ => None,
    };
    let invalid = |reason| ProfileError::Invalid {
        field: number_field.to_owned(),
        value: number.unwrap_or_default().to_string(),
        reason,
    };
    match (number, highest) {
        (Some(_), None) => return Err(invalid("the action returns no error")),
        (Some(number), Some(highest)) if number > highest => {
            return Err(invalid("there are no such errors"));
        }
        _ => {}
    }
    let number = number.unwrap_or(libc::EPERM.unsigned_abs());
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            libc::SECCOMP_RET_KILL_THREAD
        }
        LinuxSeccompAction::ScmpActKillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        LinuxSeccompAction::ScmpActTrap => libc::SECCOMP_RET_TRAP,
        LinuxSeccompAction::ScmpActErrno => libc::SECCOMP_RET_ERRNO | number,
        LinuxSeccompAction::ScmpActTrace => libc::SECCOMP_RET_TRACE | number,
        LinuxSeccompAction::ScmpActLog => libc::SECCOMP_RET_LOG,
        LinuxSeccompAction::ScmpActAllow => libc::SECCOMP_RET_ALLOW,
        LinuxSeccompAction::ScmpActNotify => {
            return Err(ProfileError::Unsupported {
                field: field.to_owned(),
                value: action.to_string(),
            });
        }
    })
}

/// runc's question whether calls that the profile does not know get `ENOSYS`; a tracer decides for itself.
fn is_restrictive(action: LinuxSeccompAction) -> bool {
    !matches!(
        action,
        LinuxSeccompAction::ScmpActAllow
            | LinuxSeccompAction::ScmpActLog
            | LinuxSeccompAction::ScmpActTrace
    )
}

/// runc looks for unknown calls of the architectures that are listed, and of no other.
fn lists_x86_64(architectures: Option<&[Arch]>) -> bool {
    architectures
        .unwrap_or_default()
        .iter()
        .any(|arch| matches!(arch, Arch::ScmpArchX86_64 | Arch::ScmpArchNative))
}

/// Without a list runc asks for `SPEC_ALLOW`; an empty list means none.
fn flags(flags: Option<&[LinuxSeccompFilterFlag]>) -> Result<u32, ProfileError> {
    let flags = flags.unwrap_or(&[LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow]);
    let mut bits = 0;
    for (index, flag) in flags.iter().enumerate() {
        bits |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => 1 << 1,
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 1,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => 1 << 2,
            // Of the listener of SCMP_ACT_NOTIFY.
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => {
                return Err(ProfileError::Unsupported {
                    field: format!("linux.seccomp.flags[{index}]"),
                    value: flag.to_string(),
                });
            }
        };
    }
    Ok(bits)
}
