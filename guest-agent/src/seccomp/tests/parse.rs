//! What a profile may say, and the words for what it may not.

use serde_json::{Value, json};

use super::{
    compare::compiled,
    interpreter::{Call, run},
    profiles::read,
};
use crate::seccomp::{Profile, ProfileError, syscalls::number};

fn error(json: Value) -> String {
    Profile::new(&read(json)).unwrap_err().to_string()
}

fn with_call(call: &Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, call]})
}

#[test]
fn notify_is_refused_by_name() {
    assert_eq!(
        error(json!({"defaultAction": "SCMP_ACT_NOTIFY"})),
        "linux.seccomp.defaultAction SCMP_ACT_NOTIFY"
    );
    assert_eq!(
        error(with_call(
            &json!({"names": [], "action": "SCMP_ACT_NOTIFY"})
        )),
        "linux.seccomp.syscalls[1].action SCMP_ACT_NOTIFY"
    );
    let flag = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]});
    assert_eq!(
        error(flag),
        "linux.seccomp.flags[1] SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    );
}

#[test]
fn absurd_values_are_named() {
    let sixth = json!({"names": ["read"], "action": "SCMP_ACT_TRAP", "args": [{"index": 6, "op": "SCMP_CMP_EQ", "value": 1}]});
    assert_eq!(
        error(with_call(&sixth)),
        "linux.seccomp.syscalls[1].args[0].index is 6: a system call has the arguments 0 to 5"
    );
    let errno = json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096});
    assert_eq!(
        error(with_call(&errno)),
        "linux.seccomp.syscalls[1].errnoRet is 4096: there are no such errors"
    );
    let silent = json!({"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1});
    assert_eq!(
        error(silent),
        "linux.seccomp.defaultErrnoRet is 1: the action returns no error"
    );
    let nameless = json!({"names": [""], "action": "SCMP_ACT_TRAP"});
    assert_eq!(
        error(with_call(&nameless)),
        "linux.seccomp.syscalls[1].names[0] is empty: a system call has a name"
    );
}

#[test]
fn contradicting_rules_are_refused() {
    let rule = |action: &str| json!({"names": ["kill"], "action": action, "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 9}]});
    let profile = |first: &str, second: &str| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(first), rule(second)]});
    let refused = error(profile("SCMP_ACT_KILL", "SCMP_ACT_TRAP"));
    assert!(refused.contains("two rules of kill"), "{refused}");
    assert!(Profile::new(&read(profile("SCMP_ACT_TRAP", "SCMP_ACT_TRAP"))).is_ok());
}

#[test]
fn endless_rules_are_refused() {
    let args: Vec<Value> = (0..300)
        .map(|value| json!({"index": 0, "op": "SCMP_CMP_EQ", "value": value}))
        .collect();
    let names = vec!["read"; 300];
    let call = json!({"names": names, "action": "SCMP_ACT_ALLOW", "args": args});
    let refused = Profile::new(&read(with_call(&call))).unwrap_err();
    assert_eq!(refused, ProfileError::TooManyRules);
}

#[test]
fn unknown_name_is_ignored_and_told_only_if_it_was_to_be_forbidden() {
    let profile = |default: &str, action: &str| {
        let json = json!({"defaultAction": default, "syscalls": [{"names": ["no_such_call"], "action": action}]});
        Profile::new(&read(json)).unwrap()
    };
    assert!(
        profile("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW")
            .warnings()
            .is_empty()
    );
    let told = profile("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO");
    assert!(
        told.warnings()[0].contains("no_such_call"),
        "{:?}",
        told.warnings()
    );
}

#[test]
fn flags_default_to_what_runc_asks_for() {
    let flags = |flags: Value| {
        let mut json = json!({"defaultAction": "SCMP_ACT_ALLOW"});
        json["flags"] = flags;
        compiled(&read(json)).flags
    };
    assert_eq!(flags(Value::Null), 4);
    assert_eq!(flags(json!([])), 0);
    let all = ["TSYNC", "LOG", "SPEC_ALLOW"].map(|flag| format!("SECCOMP_FILTER_FLAG_{flag}"));
    assert_eq!(flags(json!(all)), 7);
}

#[test]
fn numbers_above_the_highest_that_is_named_are_not_implemented() {
    let seccomp = read(json!({
        "defaultAction": "SCMP_ACT_KILL", "architectures": ["SCMP_ARCH_X86_64"],
        // The same as the default: no rule, and known all the same.
        "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_ALLOW"}, {"names": ["openat2"], "action": "SCMP_ACT_KILL"}],
    }));
    let program = compiled(&seccomp);
    let verdict = |number| run(&program.instructions, &Call::new(number)).0;
    let highest = number("openat2").unwrap();
    assert_eq!(verdict(highest), libc::SECCOMP_RET_KILL_THREAD);
    assert_eq!(verdict(highest + 1), 0x0005_0000 | 38);
}
