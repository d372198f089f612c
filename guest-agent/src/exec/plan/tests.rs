//! Tests of each rule.

use oci_spec::runtime::{Process, Spec};
use rustix::process::{Resource, Rlimit};
use serde_json::{Value, json};

use super::{Inherited, Plan};
use crate::process::Privileges;

fn process(change: impl FnOnce(&mut Value)) -> Process {
    let mut process = json!({"user": {"uid": 1, "gid": 2}, "args": ["tool", "x"], "cwd": "/"});
    change(&mut process);
    serde_json::from_value(process).unwrap()
}

fn plan(change: impl FnOnce(&mut Value)) -> Result<Plan, String> {
    Plan::new(&process(change), &Inherited::default(), &mut Vec::new())
}

fn texts(strings: &[std::ffi::CString]) -> Vec<&str> {
    strings.iter().map(|text| text.to_str().unwrap()).collect()
}

#[test]
fn name_is_looked_for_in_each_directory_and_a_path_is_itself() {
    let searched = plan(|process| process["env"] = json!(["PATH=/a::/b"])).unwrap();
    assert_eq!(
        texts(&searched.candidates),
        ["/a/tool", "./tool", "/b/tool"]
    );
    let path = plan(|process| process["args"] = json!(["./tool"])).unwrap();
    assert_eq!(texts(&path.candidates), ["./tool"]);
    let empty = plan(|process| process["args"] = json!([""])).unwrap();
    assert_eq!(texts(&empty.candidates), [""; 0]);
}

#[test]
fn environment_keeps_the_last_value_of_a_name() {
    let plan = plan(|process| process["env"] = json!(["A=1", "B=2", "A=3", "C"])).unwrap();
    assert_eq!(texts(&plan.environment), ["A=3", "B=2"]);
}

#[test]
fn process_without_capabilities_has_none() {
    let plan = plan(|_| {}).unwrap();
    assert_eq!(plan.privileges, Privileges::default());
    assert_eq!(plan.umask.as_raw_mode(), 0o022);
    assert!(!plan.no_new_privileges);
}

#[test]
fn what_the_process_says_goes_before_its_container() {
    let spec = json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0, "umask": 7}, "args": ["init"], "cwd": "/",
            "noNewPrivileges": true, "oomScoreAdj": 5,
        },
        "linux": {"personality": {"domain": "LINUX32"}},
    });
    let rlimits = json!([{"type": "RLIMIT_NOFILE", "soft": 1, "hard": u64::MAX}]);
    let rlimits = serde_json::from_value(rlimits).unwrap();
    let spec: Spec = serde_json::from_value(spec).unwrap();
    let privileges = Privileges {
        effective: 1,
        ..Privileges::default()
    };
    let inherited = Inherited::new(&spec, privileges, rlimits, None);
    let plan = |process: &Process| Plan::new(process, &inherited, &mut Vec::new()).unwrap();
    let silent = plan(&process(|_| {}));
    assert_eq!(silent.privileges, privileges);
    assert_eq!(silent.umask.as_raw_mode(), 7);
    assert_eq!(silent.oom_score_adj.as_deref(), Some("5"));
    assert_eq!(silent.personality, Some(8));
    assert!(silent.no_new_privileges);
    let limit = Rlimit {
        current: Some(1),
        maximum: None,
    };
    assert_eq!(silent.rlimits.len(), 1);
    assert_eq!(silent.rlimits[0].0, Resource::Nofile);
    assert_eq!(silent.rlimits[0].1, limit);
    let own = process(|process| {
        process["noNewPrivileges"] = json!(false);
        process["oomScoreAdj"] = json!(0);
        process["user"]["umask"] = json!(0);
        process["capabilities"] = json!({"effective": []});
        process["rlimits"] = json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]);
    });
    let own = plan(&own);
    assert_eq!(own.privileges, Privileges::default());
    assert_eq!(own.umask.as_raw_mode(), 0);
    assert_eq!(own.oom_score_adj, None);
    assert!(!own.no_new_privileges);
    assert_eq!(own.rlimits[0].0, Resource::Core);
}

#[test]
fn fields_that_make_no_sense_are_named_with_their_value() {
    let refused = |change: &dyn Fn(&mut Value)| plan(change).unwrap_err();
    let text = refused(&|process| process["args"] = json!([]));
    assert_eq!(text, "process.args is empty");
    let text = refused(&|process| process["args"] = json!(["a\0b"]));
    assert_eq!(text, "process.args \"a\\0b\" contains a NUL byte");
    let text = refused(&|process| process["cwd"] = json!("x"));
    assert_eq!(text, "process.cwd \"x\" is not absolute");
    let text = refused(&|process| process["user"]["umask"] = json!(512));
    assert_eq!(text, "process.user.umask 0o1000 is more than 0o777");
    let text = refused(&|process| process["oomScoreAdj"] = json!(1001));
    assert_eq!(
        text,
        "process.oomScoreAdj 1001 is not between -1000 and 1000"
    );
    let limit = |soft: u64| json!({"type": "RLIMIT_CORE", "soft": soft, "hard": 3});
    let text = refused(&|process| process["rlimits"] = json!([limit(4)]));
    assert!(text.contains("soft 4 of"), "{text}");
    let text = refused(&|process| process["rlimits"] = json!([limit(1), limit(2)]));
    assert!(text.ends_with("twice"), "{text}");
    let text = refused(&|process| process["scheduler"] = json!({"policy": "SCHED_OTHER"}));
    assert_eq!(text, "process.scheduler is not supported for an exec");
}
