//! Profiles in Docker's form.

use oci_spec::runtime::{Capabilities, Capability};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use serde_json::{Value, json};

use super::super::seccomp_profile;

fn translate(profile: &Value, granted: &[Capability]) -> Result<Value, String> {
    let granted: Capabilities = granted.iter().copied().collect();
    seccomp_profile(profile.to_string().as_bytes(), &granted)
}

/// The names of the rules that stay.
fn kept(rules: &Value, granted: &[Capability]) -> Vec<String> {
    let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules});
    let made = translate(&profile, granted).unwrap();
    let rules = made["syscalls"].as_array().unwrap();
    let names = rules
        .iter()
        .flat_map(|rule| rule["names"].as_array().unwrap());
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn plain_profile_stays_as_it_is() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1,
            "args": [{"index": 0, "value": 40, "valueTwo": 0, "op": "SCMP_CMP_NE"}]}],
    });
    assert_eq!(translate(&profile, &[]).unwrap(), profile);
}

#[test]
fn conditions_choose_rules() {
    let rule = |name: &str, includes: Value, excludes: Value| json!({"name": name, "action": "SCMP_ACT_ALLOW", "includes": includes, "excludes": excludes, "args": null, "comment": ""});
    let rules = json!([
        rule("always", json!({}), json!({})),
        rule("here", json!({"arches": ["amd64", "x32"]}), json!({})),
        rule("elsewhere", json!({"arches": ["s390"]}), json!({})),
        rule("not-here", json!({}), json!({"arches": ["amd64"]})),
        rule("admin", json!({"caps": ["CAP_SYS_ADMIN"]}), json!({})),
        rule(
            "admin-and-time",
            json!({"caps": ["CAP_SYS_ADMIN", "CAP_SYS_TIME"]}),
            json!({})
        ),
        rule("no-admin", json!({}), json!({"caps": ["CAP_SYS_ADMIN"]})),
        rule("newer", json!({"minKernel": "4.8"}), json!({})),
        rule("too-new", json!({"minKernel": "99.0"}), json!({})),
        rule("older", json!({}), json!({"minKernel": "4.8"})),
    ]);
    assert_eq!(kept(&rules, &[]), ["always", "here", "no-admin", "newer"]);
    let admin = kept(&rules, &[Capability::SysAdmin]);
    assert_eq!(admin, ["always", "here", "admin", "newer"]);
    let both = kept(&rules, &[Capability::SysAdmin, Capability::SysTime]);
    assert_eq!(both, ["always", "here", "admin", "admin-and-time", "newer"]);
}

#[test]
fn architectures_come_from_either_list() {
    let map = json!([{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}]);
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "archMap": map});
    let made = translate(&profile, &[]).unwrap();
    assert_eq!(
        made["architectures"],
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    );
    let mut both = profile.clone();
    both["architectures"] = json!(["SCMP_ARCH_X86_64"]);
    assert!(
        translate(&both, &[])
            .unwrap_err()
            .contains("exclude each other")
    );
}

#[test]
fn wrong_parts_are_named() {
    let with = |rule: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    for (profile, words) in [
        (json!([]), "where a profile is an object"),
        (json!({"defaultAction": "ALLOW"}), "defaultAction: "),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x86"]}),
            "architectures[0]: ",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}),
            "listenerPath",
        ),
        (
            json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}),
            "syscalls: ",
        ),
        (
            with(json!({"names": ["a"]})),
            "syscalls[0]: missing field `action`",
        ),
        (
            with(json!({"names": ["a"], "action": "x"})),
            "syscalls[0].action: ",
        ),
        (
            with(json!({"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"})),
            "syscalls[0]: name and names",
        ),
        (
            with(
                json!({"names": ["a"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "=="}]}),
            ),
            "syscalls[0].args[0].op: ",
        ),
        (
            with(
                json!({"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_FLY"]}}),
            ),
            "syscalls[0].caps: unknown capability \"CAP_FLY\"",
        ),
        (
            with(
                json!({"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "four"}}),
            ),
            "syscalls[0].minKernel: \"four\"",
        ),
    ] {
        let said = translate(&profile, &[]).unwrap_err();
        assert!(said.contains(words), "{profile}: {said}");
    }
    let trailing = seccomp_profile(
        br#"{"defaultAction": "SCMP_ACT_ALLOW"} {}"#,
        &Capabilities::new(),
    );
    assert!(trailing.is_err());
}

fn some_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            Just("SCMP_ACT_ALLOW"),
            Just("SCMP_ARCH_X86_64"),
            Just("CAP_CHOWN"),
            Just("5.1"),
            Just("")
        ]
        .prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("names"),
        Just("action"),
        Just("args"),
        Just("includes"),
        Just("excludes"),
        Just("caps"),
        Just("arches"),
        Just("minKernel"),
        Just("errnoRet"),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let fields = vec((key.clone(), inner.clone()), 0..5);
        prop_oneof![
            vec(inner, 0..4).prop_map(Value::Array),
            fields.prop_map(|fields| fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn profiles_of_any_shape_are_answered(rules in some_json(), map in some_json()) {
        let _ = translate(&json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules, "archMap": map}), &[]);
    }
}
