//! Further processes in a container.

use husk_protocol::agent::{ExecRequest, FailureKind, ListProcessesRequest, SignalRequest, Stdio};
use ttrpc::Code;

use crate::harness::{Guest, class, context, create, process, refusal};

fn exec(id: &str, args: &[&str]) -> ExecRequest {
    ExecRequest {
        container_id: "c".into(),
        exec_id: id.into(),
        process_json: serde_json::to_vec(&process(args)).unwrap(),
        stdio: Some(Stdio {
            stdout: true,
            ..Stdio::default()
        })
        .into(),
        ..ExecRequest::default()
    }
}

#[tokio::test]
async fn exec_joins_the_container_and_has_its_own_exit_status() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let script = "cat /proc/1/cmdline | head -c 5; echo; hostname; ls /proc/self/fd; exit 3";
    let request = exec("e", &["sh", "-c", script]);
    let made = guest.calls.exec(context(), &request).await.unwrap();
    assert!(made.pid > 0);
    let written = guest.read("c", "e").await;
    assert_eq!(written, "sleep\ninside\n0\n1\n2\n3\n");
    assert_eq!(guest.wait("c", "e").await.exit_code, 3);
    let taken = refusal(guest.calls.exec(context(), &request).await);
    assert_eq!(class(&taken).0, Code::ALREADY_EXISTS);
}

#[tokio::test]
async fn exec_that_cannot_run_is_classified_and_its_id_is_free_again() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let missing = refusal(guest.calls.exec(context(), &exec("e", &["nope"])).await);
    assert_eq!(
        class(&missing),
        (
            Code::NOT_FOUND,
            Some(FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND)
        )
    );
    let mut unknown = exec("e", &["true"]);
    unknown.user = "nobody".into();
    let unknown = refusal(guest.calls.exec(context(), &unknown).await);
    assert_eq!(
        class(&unknown).1,
        Some(FailureKind::FAILURE_KIND_UNKNOWN_USER)
    );
    let works = exec("e", &["true"]);
    guest.calls.exec(context(), &works).await.unwrap();
    assert_eq!(guest.wait("c", "e").await.exit_code, 0);
}

#[tokio::test]
async fn every_process_is_listed_and_signals_reach_the_one_named() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let request = exec("e", &["sleep", "1000"]);
    let made = guest.calls.exec(context(), &request).await.unwrap();
    let list = ListProcessesRequest {
        container_id: "c".into(),
        ..ListProcessesRequest::default()
    };
    let listed = guest.calls.list_processes(context(), &list).await.unwrap();
    assert_eq!(listed.processes.len(), 2);
    let [init, exec] = [true, false].map(|is_init| {
        let mut of_kind = listed.processes.iter();
        of_kind.find(|process| process.init == is_init).unwrap()
    });
    assert_eq!(init.exec_id, "");
    assert_eq!((exec.pid, exec.exec_id.as_str()), (made.pid, "e"));
    let signal = SignalRequest {
        container_id: "c".into(),
        exec_id: "e".into(),
        signal: 15,
        ..SignalRequest::default()
    };
    guest.calls.signal(context(), &signal).await.unwrap();
    assert_eq!(guest.wait("c", "e").await.exit_code, 143);
}

#[tokio::test]
async fn exec_ends_with_its_container_and_none_follows() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let request = exec("e", &["sleep", "1000"]);
    guest.calls.exec(context(), &request).await.unwrap();
    let kill = SignalRequest {
        container_id: "c".into(),
        signal: 9,
        ..SignalRequest::default()
    };
    guest.calls.signal(context(), &kill).await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 137);
    assert_eq!(guest.wait("c", "e").await.exit_code, 137);
    let late = refusal(guest.calls.exec(context(), &exec("f", &["true"])).await);
    assert_eq!(class(&late).0, Code::FAILED_PRECONDITION);
}
