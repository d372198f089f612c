//! What a program costs: its length, and how much of it the kernel interprets when it is loaded.

use super::{
    compare::compiled,
    interpreter::{Call, run},
    libseccomp::{Oracle, name_of, resolve},
    profiles,
};
use crate::seccomp::{
    Profile, ProfileError, Program, compile, program::MAX_INSTRUCTIONS, syscalls::number,
};
use serde_json::json;
use syscalls::x86_64::Sysno;

/// One past the last number of a kernel of today.
const KERNEL_CALLS: u32 = 463;

#[test]
fn dockers_default_is_short_and_shallow() {
    let seccomp = profiles::docker(&[]);
    let program = compiled(&seccomp);
    let steps: usize = (0..KERNEL_CALLS)
        .map(|number| run(&program.instructions, &Call::new(number)).1)
        .sum();
    let theirs = Oracle::new(&seccomp).unwrap().instructions().len();
    println!(
        "{} instructions, {steps} steps; libseccomp {theirs}",
        program.instructions.len()
    );
    assert!(
        program.instructions.len() <= 134,
        "{}",
        program.instructions.len()
    );
    assert!(
        steps <= 10 * usize::try_from(KERNEL_CALLS).unwrap(),
        "{steps}"
    );
}

#[test]
fn program_beyond_the_kernels_limit_is_refused() {
    let rule = |value: u64| json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": value << 32}]});
    let of = |count: u64| {
        let rules: Vec<_> = (0..count).map(rule).collect();
        let seccomp = profiles::read(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}));
        compile(&Profile::new(&seccomp).unwrap())
    };
    assert!(of(1000).unwrap().instructions.len() <= MAX_INSTRUCTIONS);
    let error = of(1100).unwrap_err();
    assert_eq!(error, ProfileError::TooLong(4096));
    assert!(
        error.to_string().contains("more than 4096 instructions"),
        "{error}"
    );
}

#[test]
fn program_survives_the_way_to_the_helper() {
    let program = compiled(&profiles::docker(&[]));
    let words = program.to_words();
    assert_eq!(Program::from_words(&words), Some(program));
    assert_eq!(Program::from_words(&[u64::MAX, 6]), None);
    assert_eq!(Program::from_words(&words[..1]), None);
    assert_eq!(Program::from_words(&[]), None);
    assert_eq!(Program::from_words(&[0; 4098]), None);
}

#[test]
fn numbers_are_libseccomps() {
    for call in Sysno::iter() {
        let known = resolve(call.name());
        assert!(
            known.is_none_or(|known| Some(known) == number(call.name())),
            "{}",
            call.name()
        );
    }
    let known = (0..600).filter_map(|number| Some((number, name_of(number)?)));
    let mut count = 0;
    for (expected, name) in known {
        assert_eq!(number(&name), Some(expected), "{name}");
        count += 1;
    }
    assert!(count > 350, "{count}");
}
