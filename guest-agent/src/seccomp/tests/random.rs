//! Random profiles beside the oracle, and beside the reference where libseccomp's programs cannot be one.

use std::collections::BTreeSet;

use oci_spec::runtime::LinuxSeccomp;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{
    compare::{assert_agrees, boundaries},
    interpreter::{Call, run},
    libseccomp::Oracle,
    profiles::read,
    reference,
};
use crate::seccomp::{Profile, ProfileError, compile, syscalls::number};

const NAMES: [&str; 7] = [
    "read",
    "write",
    "open",
    "mmap",
    "openat2",
    "clone",
    "no_such_call",
];
const DEFAULTS: [&str; 4] = ["ERRNO", "ALLOW", "KILL", "LOG"];
const ACTIONS: [&str; 5] = ["TRAP", "ALLOW", "ERRNO", "KILL_PROCESS", "TRACE"];
const OPERATORS: [&str; 7] = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

/// Name and action by index, and arguments.
type Entry = (usize, usize, Vec<Value>);

fn value() -> impl Strategy<Value = u64> {
    let edges = vec![
        u64::MAX,
        1 << 31,
        1 << 32,
        (1 << 32) + 1,
        0xffff_ffff,
        1 << 63,
    ];
    prop_oneof![0..4_u64, select(edges), any::<u64>()]
}

fn arg(index: usize, op: &str, (value, second): (u64, u64)) -> Value {
    json!({"index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": second})
}

fn any_arg() -> impl Strategy<Value = Value> {
    let parts = (0..3_usize, select(OPERATORS.as_slice()), (value(), value()));
    parts.prop_map(|(index, op, values)| arg(index, op, values))
}

/// One condition at most of each argument.
fn distinct_args() -> impl Strategy<Value = Vec<Value>> {
    let each = proptest::option::of((select(OPERATORS.as_slice()), (value(), value())));
    vec(each, 4).prop_map(|args| {
        let given = args.into_iter().enumerate();
        given
            .filter_map(|(index, given)| given.map(|(op, values)| arg(index, op, values)))
            .collect()
    })
}

fn profile(default: &str, entries: &[Entry]) -> LinuxSeccomp {
    let action = |action: &str| format!("SCMP_ACT_{action}");
    let calls: Vec<Value> = entries
        .iter()
        .map(|(name, index, args)| json!({"names": [NAMES[*name]], "action": action(ACTIONS[*index]), "args": args}))
        .collect();
    read(json!({
        "defaultAction": action(default), "architectures": ["SCMP_ARCH_X86_64"], "syscalls": calls,
    }))
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn one_rule_a_call_gives_libseccomps_verdicts(
        default in select(DEFAULTS.as_slice()),
        rules in vec((0..ACTIONS.len(), distinct_args()), NAMES.len()),
    ) {
        let entry = |(name, (action, args))| (name, action, args);
        let entries: Vec<Entry> = rules.into_iter().enumerate().map(entry).collect();
        let seccomp = profile(default, &entries);
        let oracle = Oracle::new(&seccomp).unwrap();
        assert_agrees("random", &seccomp, &oracle);
    }

    #[test]
    fn many_values_of_an_argument_give_libseccomps_verdicts(
        default in select(DEFAULTS.as_slice()),
        actions in proptest::collection::btree_map(value(), 0..ACTIONS.len(), 0..12),
        always in proptest::option::of(0..ACTIONS.len()),
    ) {
        let rule = |(value, action)| (3, action, vec![arg(1, "EQ", (value, 0))]);
        let mut entries: Vec<Entry> = actions.into_iter().map(rule).collect();
        entries.extend(always.map(|action| (3, action, Vec::new())));
        let seccomp = profile(default, &entries);
        let oracle = Oracle::new(&seccomp).unwrap();
        assert_agrees("random", &seccomp, &oracle);
    }

    #[test]
    fn any_profile_does_what_it_says_or_tells_why_not(
        default in select(DEFAULTS.as_slice()),
        entries in vec((0..NAMES.len(), 0..ACTIONS.len(), vec(any_arg(), 0..4)), 0..12),
    ) {
        let seccomp = profile(default, &entries);
        match Profile::new(&seccomp).and_then(|profile| compile(&profile)) {
            Ok(program) => {
                let numbers: BTreeSet<u32> = entries.iter().filter_map(|(name, ..)| number(NAMES[*name])).collect();
                for number in numbers {
                    for arguments in boundaries(&seccomp, number) {
                        let call = Call { arguments, ..Call::new(number) };
                        let ours = run(&program.instructions, &call).0;
                        prop_assert_eq!(ours, reference::verdict(&seccomp, &call), "{:x?}", call);
                    }
                }
            }
            Err(error) => prop_assert!(matches!(error, ProfileError::Contradiction(_)), "{}", error),
        }
    }
}
