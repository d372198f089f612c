//! The process of an exec.

use serde_json::{Value, json};

use super::super::{CapabilityName, ExecOptions, Spec, exec_process};

fn container(uid: u32) -> Spec {
    let some = json!(["CAP_CHOWN", "CAP_KILL"]);
    serde_json::from_value(json!({
        "ociVersion": "1.0.2",
        "process": {
            "args": ["first"],
            "cwd": "/srv",
            "env": ["A=1", "HOME=/srv"],
            "user": {"uid": uid, "gid": 5},
            "capabilities": {"bounding": some, "effective": some, "permitted": some},
        },
    }))
    .unwrap()
}

/// Bounding and effective set, sorted, without their common beginning.
fn sets(options: ExecOptions, uid: u32) -> (String, String) {
    let options = ExecOptions {
        args: vec!["second".to_owned()],
        ..options
    };
    let process = exec_process(&container(uid), &options).unwrap();
    let process = serde_json::to_value(process).unwrap();
    let set = |name: &str| {
        let list = process["capabilities"][name].as_array();
        let mut names: Vec<&str> = list
            .map(|list| list.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        names.sort_unstable();
        names.join(" ").replace("CAP_", "")
    };
    (set("bounding"), set("effective"))
}

fn names(list: &str) -> Vec<CapabilityName> {
    let names = list.split_whitespace();
    names.map(|name| name.parse().unwrap()).collect()
}

#[test]
fn capabilities_are_the_containers_changed_by_what_was_asked() {
    let ask = |user: Option<&str>, add: &str, drop: &str| {
        let options = ExecOptions {
            user: user.map(str::to_owned),
            cap_add: names(add),
            cap_drop: names(drop),
            ..ExecOptions::default()
        };
        let (bounding, effective) = sets(options, 0);
        format!("{bounding} / {effective}")
    };
    for (user, add, drop, expected) in [
        (None, "", "", "CHOWN KILL / CHOWN KILL"),
        (
            None,
            "net_admin",
            "",
            "CHOWN KILL NET_ADMIN / CHOWN KILL NET_ADMIN",
        ),
        (None, "", "CAP_KILL", "CHOWN / CHOWN"),
        (None, "", "ALL", " / "),
        (None, "MKNOD", "ALL", "MKNOD / MKNOD"),
        (Some("ann"), "", "", "CHOWN KILL / "),
        (Some("ann"), "MKNOD", "KILL", "CHOWN MKNOD / "),
        (Some("0:5"), "MKNOD", "KILL", "CHOWN MKNOD / CHOWN MKNOD"),
    ] {
        assert_eq!(ask(user, add, drop), expected, "{user:?} {add:?} {drop:?}");
    }
    let all = ask(None, "ALL", "KILL");
    assert!(!all.contains("KILL") && all.contains("SYS_ADMIN"), "{all}");
}

#[test]
fn added_capability_of_an_unprivileged_container_can_only_be_gained() {
    let options = ExecOptions {
        cap_add: names("MKNOD"),
        ..ExecOptions::default()
    };
    assert_eq!(
        sets(options, 1001),
        ("CHOWN KILL MKNOD".to_owned(), String::new())
    );
}

#[test]
fn directory_and_environment_are_the_containers_unless_asked_otherwise() {
    let options = ExecOptions {
        args: vec!["second".to_owned()],
        env: vec!["A=2".to_owned(), "B=".to_owned()],
        ..ExecOptions::default()
    };
    let process = exec_process(&container(0), &options).unwrap();
    assert_eq!(process.cwd().to_str(), Some("/srv"));
    assert_eq!(process.env().clone().unwrap(), ["HOME=/srv", "A=2", "B="]);
    let options = ExecOptions {
        working_dir: Some("/tmp".to_owned()),
        user: Some("ann".to_owned()),
        terminal: true,
        ..options
    };
    let process = exec_process(&container(0), &options).unwrap();
    assert_eq!(process.cwd().to_str(), Some("/tmp"));
    // HOME is for the guest to say: it knows where ann lives.
    let env = process.env().clone().unwrap();
    assert_eq!(env, ["TERM=xterm", "A=2", "B="]);
}
