//! Capabilities, no_new_privs and the system call filter: what a process has after `execve`, whatever the order was.

use husk_protocol::agent::{CreateContainerRequest, ExecRequest, Stdio};
use serde_json::{Value, json};

use crate::harness::{Guest, context, create, process, refusal, set_spec};

const STATUS: &str = "cat /proc/self/status";

/// CAP_CHOWN, CAP_KILL, CAP_SYS_ADMIN.
const THREE: [&str; 3] = ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"];
const TWO: [&str; 2] = ["CAP_CHOWN", "CAP_KILL"];

fn profile(calls: &Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls})
}

fn container(id: &str, args: &[&str], change: impl FnOnce(&mut Value)) -> CreateContainerRequest {
    let mut request = create(id, &[]);
    set_spec(&mut request, args, change);
    request
}

/// The fields of /proc/self/status that matter here.
fn fields(status: &str) -> Vec<(String, u64)> {
    let wanted = [
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
    ];
    let pairs = status.lines().filter_map(|line| line.split_once(':'));
    pairs
        .filter(|(name, _)| wanted.contains(name))
        .map(|(name, value)| {
            (
                name.to_owned(),
                u64::from_str_radix(value.trim(), 16).unwrap(),
            )
        })
        .collect()
}

fn expected(sets: [u64; 5], no_new_privs: bool) -> Vec<(String, u64)> {
    let names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let sets = names.into_iter().zip(sets);
    sets.chain([("NoNewPrivs", no_new_privs.into()), ("Seccomp", 2)])
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[tokio::test]
async fn sets_are_exact_in_both_orders_for_root_and_others() {
    let guest = Guest::boot().await;
    let (two, three) = (1 | 1 << 5, 1 | 1 << 5 | 1 << 21);
    for no_new_privs in [false, true] {
        // Root is given its bounding and inheritable sets by execve, whatever it had before.
        let root =
            json!({"bounding": THREE, "permitted": TWO, "effective": [], "inheritable": TWO});
        // Anybody else keeps what is ambient.
        let user = json!({"bounding": THREE, "permitted": THREE, "effective": THREE, "inheritable": TWO, "ambient": ["CAP_KILL"]});
        let cases = [
            (0, root, [two, three, three, three, 0]),
            (33, user, [two, 1 << 5, 1 << 5, three, 1 << 5]),
            (33, json!({"bounding": TWO}), [0, 0, 0, two, 0]),
        ];
        for (uid, capabilities, sets) in cases {
            let request = container("c", &["sh", "-c", STATUS], |spec| {
                spec["process"]["user"]["uid"] = json!(uid);
                spec["process"]["capabilities"] = capabilities;
                spec["process"]["noNewPrivileges"] = json!(no_new_privs);
                spec["linux"]["seccomp"] = profile(&json!([]));
            });
            guest.run(&request).await;
            let status = guest.read("c", "").await;
            guest.wait("c", "").await;
            guest.delete("c").await;
            let mut seen = fields(&status);
            // Root that may not gain privileges keeps to what it was permitted: the kernel's rule.
            if uid == 0 && no_new_privs {
                seen.retain(|(name, _)| name != "CapPrm" && name != "CapEff");
            }
            let mut wanted = expected(sets, no_new_privs);
            wanted.retain(|(name, _)| seen.iter().any(|(seen, _)| seen == name));
            seen.sort();
            wanted.sort();
            assert_eq!(
                seen, wanted,
                "uid {uid}, no_new_privs {no_new_privs}: {status}"
            );
            assert!(seen.len() >= 5, "{status}");
        }
    }
}

#[tokio::test]
async fn exec_has_the_containers_filter_and_its_own_sets() {
    let guest = Guest::boot().await;
    let denied =
        json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]);
    let request = container("c", &["sleep", "1000"], |spec| {
        spec["process"]["capabilities"] = json!({"bounding": THREE});
        spec["linux"]["seccomp"] = profile(&denied);
    });
    guest.run(&request).await;
    for (id, capabilities, bounding) in [
        ("own", json!({"bounding": TWO}), 1 | 1 << 5),
        ("none", Value::Null, 1 | 1 << 5 | 1 << 21),
    ] {
        let script = format!("{STATUS}; busybox mkdir /tmp/x 2>&1 | cat");
        let mut process = process(&["sh", "-c", &script]);
        process["capabilities"] = capabilities;
        let request = ExecRequest {
            container_id: "c".into(),
            exec_id: id.into(),
            process_json: serde_json::to_vec(&process).unwrap(),
            stdio: Some(Stdio {
                stdout: true,
                ..Stdio::default()
            })
            .into(),
            ..ExecRequest::default()
        };
        guest.calls.exec(context(), &request).await.unwrap();
        let written = guest.read("c", id).await;
        let sets = [0, bounding, bounding, bounding, 0];
        assert_eq!(
            sorted(fields(&written)),
            sorted(expected(sets, false)),
            "{written}"
        );
        assert!(written.contains("No space left on device"), "{written}");
    }
}

fn sorted(mut fields: Vec<(String, u64)>) -> Vec<(String, u64)> {
    fields.sort();
    fields
}

/// As under runc: what lies between the filter and the command must be allowed, and that is less with no_new_privs.
#[tokio::test]
async fn odd_profiles_stop_what_they_forbid() {
    let guest = Guest::boot().await;
    let deny = |name: &str, action: &str| profile(&json!([{"names": [name], "action": action}]));
    let request = |calls: Value, no_new_privs: bool| {
        container("c", &["true"], |spec| {
            spec["process"]["noNewPrivileges"] = json!(no_new_privs);
            spec["linux"]["seccomp"] = calls;
        })
    };
    let started = async |request: &CreateContainerRequest| {
        guest
            .calls
            .create_container(context(), request)
            .await
            .unwrap();
        let start = husk_protocol::agent::StartContainerRequest {
            container_id: "c".into(),
            ..Default::default()
        };
        guest.calls.start_container(context(), &start).await
    };
    let capset = deny("capset", "SCMP_ACT_ERRNO");
    let failed = refusal(started(&request(capset.clone(), false)).await);
    assert_eq!(
        failed.message,
        "take process.capabilities: operation not permitted (os error 1)"
    );
    guest.delete("c").await;
    started(&request(capset, true)).await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 0);
    guest.delete("c").await;
    for no_new_privs in [false, true] {
        let failed =
            refusal(started(&request(deny("execve", "SCMP_ACT_ERRNO"), no_new_privs)).await);
        assert_eq!(
            failed.message,
            "exec: \"true\": operation not permitted (os error 1)"
        );
        guest.delete("c").await;
        // The end of the process is all that can be seen, and its status says SIGSYS.
        started(&request(
            deny("execve", "SCMP_ACT_KILL_PROCESS"),
            no_new_privs,
        ))
        .await
        .unwrap();
        assert_eq!(guest.wait("c", "").await.exit_code, 128 + 31);
        guest.delete("c").await;
    }
}
