//! Further processes in a container.

use std::collections::HashMap;

use husk_protocol::agent::{
    ExecRequest, FailureKind, ListProcessesRequest, SignalRequest, Stdio, StreamKind,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, task::JoinSet};
use ttrpc::Code;

use crate::harness::{Guest, class, context, create, exec, process, refusal};

/// An exec of a script, with a change of its process object.
fn changed(id: &str, script: &str, change: impl FnOnce(&mut Value)) -> ExecRequest {
    let mut request = exec(id, &[]);
    let mut process = process(&["sh", "-c", script]);
    change(&mut process);
    request.process_json = serde_json::to_vec(&process).unwrap();
    request
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

#[tokio::test]
async fn exec_is_who_and_what_its_process_object_says() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let script = "id -u; id -g; id -G; umask; pwd; cat /proc/self/oom_score_adj; \
                  busybox env; cat /proc/self/status /proc/self/limits";
    let request = changed("e", script, |process| {
        process["user"] = json!({"uid": 33, "gid": 34, "umask": 63, "additionalGids": [50, 60]});
        process["cwd"] = json!("/etc");
        process["env"] = json!(["PATH=/x", "A=1", "PATH=/bin"]);
        process["oomScoreAdj"] = json!(500);
        process["noNewPrivileges"] = json!(true);
        process["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
        // KILL is 5, CHOWN 0, NET_BIND_SERVICE 10.
        let both = json!(["CAP_CHOWN", "CAP_KILL"]);
        process["capabilities"] = json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "permitted": both, "effective": both, "inheritable": both, "ambient": ["CAP_KILL"],
        });
    });
    guest.calls.exec(context(), &request).await.unwrap();
    let written = guest.read("c", "e").await;
    let lines: Vec<&str> = written.lines().collect();
    // HOME is that of user 33 in the image's /etc/passwd; the shell adds what it keeps for itself.
    assert_eq!(
        lines[..6],
        ["33", "34", "34 50 60", "0077", "/etc", "500"],
        "{written}"
    );
    for line in ["PATH=/bin", "A=1", "HOME=/"] {
        assert!(lines.contains(&line), "{line}: {written}");
    }
    let status: HashMap<&str, &str> = lines
        .iter()
        .filter_map(|line| line.split_once(":\t"))
        .collect();
    // The command has what is ambient, and what the file allows: the shell is no file with capabilities.
    assert_eq!(status["CapBnd"], "0000000000000421");
    assert_eq!(status["CapInh"], "0000000000000021");
    assert_eq!(status["CapPrm"], "0000000000000020");
    assert_eq!(status["CapEff"], "0000000000000020");
    assert_eq!(status["CapAmb"], "0000000000000020");
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(status["SigBlk"], "0000000000000000");
    let ignored = u64::from_str_radix(status["SigIgn"], 16).unwrap();
    assert_eq!(ignored & 1 << 12, 0, "SIGPIPE is ignored");
    let files = lines.iter().find(|line| line.starts_with("Max open files"));
    let limits: Vec<&str> = files.unwrap().split_whitespace().collect();
    assert_eq!(limits[3..5], ["100", "200"]);
}

#[tokio::test]
async fn exec_inherits_what_it_does_not_name_from_its_container() {
    let guest = Guest::boot().await;
    let mut request = create("c", &[]);
    crate::harness::set_spec(&mut request, &["sleep", "1000"], |spec| {
        spec["process"]["oomScoreAdj"] = json!(300);
        spec["process"]["user"]["umask"] = json!(7);
        spec["process"]["rlimits"] = json!([{"type": "RLIMIT_CORE", "soft": 0, "hard": 9}]);
        let kill = json!(["CAP_KILL"]);
        spec["process"]["capabilities"] = json!({
            "bounding": kill, "permitted": kill, "effective": kill,
        });
    });
    guest.run(&request).await;
    let script = "cat /proc/self/oom_score_adj; umask; cat /proc/self/limits /proc/self/status";
    let request = exec("e", &["sh", "-c", script]);
    guest.calls.exec(context(), &request).await.unwrap();
    let written = guest.read("c", "e").await;
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[..2], ["300", "0007"], "{written}");
    assert!(lines.contains(&"CapEff:\t0000000000000020"), "{written}");
    let core = lines.iter().find(|line| line.starts_with("Max core"));
    let limits: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(limits[4..6], ["0", "9"]);
}

#[tokio::test]
async fn exec_of_a_user_may_open_its_streams_by_name() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let script = "echo out > /proc/self/fd/1; cat /dev/stdin; echo err > /dev/stderr";
    let mut request = changed("e", script, |process| {
        process["user"] = json!({"uid": 33, "gid": 34});
    });
    request.stdio = Some(Stdio {
        stdin: true,
        stdout: true,
        stderr: true,
        ..Stdio::default()
    })
    .into();
    guest.calls.exec(context(), &request).await.unwrap();
    let mut input = guest.stream("c", "e", StreamKind::STREAM_KIND_STDIN).await;
    input.write_all(b"in").await.unwrap();
    input.shutdown().await.unwrap();
    assert_eq!(guest.read("c", "e").await, "out\nin");
    assert_eq!(guest.wait("c", "e").await.exit_code, 0);
}

#[tokio::test]
async fn what_an_exec_cannot_do_is_said_in_runcs_words() {
    let guest = Guest::boot().await;
    let script = "echo '#!/nowhere/sh' > /work/script; busybox chmod 755 /work/script; echo; exec sleep 1000";
    guest.run(&create("c", &["sh", "-c", script])).await;
    let mut output = guest.stream("c", "", StreamKind::STREAM_KIND_STDOUT).await;
    tokio::io::AsyncReadExt::read_u8(&mut output).await.unwrap();
    for (command, text) in [
        ("nope", "exec: \"nope\": executable file not found in $PATH"),
        (
            "/no/pe",
            "exec: \"/no/pe\": stat /no/pe: no such file or directory",
        ),
        ("/etc", "exec: \"/etc\": is a directory"),
        ("/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
        (
            "/work/script",
            "exec: \"/work/script\": no such file or directory",
        ),
    ] {
        let refused = guest.calls.exec(context(), &exec("e", &[command])).await;
        assert_eq!(refusal(refused).message, text);
    }
    let cwd = changed("e", "", |process| process["cwd"] = json!("/no"));
    let refused = refusal(guest.calls.exec(context(), &cwd).await);
    let text = "chdir to cwd (\"/no\") set in config.json failed: no such file or directory";
    assert_eq!(refused.message, text);
    let file = changed("e", "", |process| process["cwd"] = json!("/etc/passwd"));
    let refused = refusal(guest.calls.exec(context(), &file).await);
    assert!(refused.message.ends_with("not a directory"), "{refused}");
    let relative = changed("e", "", |process| process["cwd"] = json!("etc"));
    let refused = refusal(guest.calls.exec(context(), &relative).await);
    assert_eq!(refused.message, "process.cwd \"etc\" is not absolute");
    guest
        .calls
        .exec(context(), &exec("e", &["true"]))
        .await
        .unwrap();
}

#[tokio::test]
async fn hundred_execs_at_once_end_as_they_should_and_none_is_left() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let mut execs = JoinSet::new();
    for number in 0..100_u32 {
        let calls = guest.calls.clone();
        let script = format!("exit {number}");
        let request = exec(&format!("e{number}"), &["sh", "-c", &script]);
        execs.spawn(async move {
            calls.exec(context(), &request).await.unwrap();
            number
        });
    }
    for number in execs.join_all().await {
        let exit = guest.wait("c", &format!("e{number}")).await;
        assert_eq!(exit.exit_code, number);
    }
    let list = ListProcessesRequest {
        container_id: "c".into(),
        ..ListProcessesRequest::default()
    };
    let listed = guest.calls.list_processes(context(), &list).await.unwrap();
    assert_eq!(listed.processes.len(), 1);
    // No zombie either: init is the agent's only child.
    assert_eq!(guest.children().len(), 1);
}
