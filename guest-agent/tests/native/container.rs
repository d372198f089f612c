//! Containers from creation to deletion.

use husk_protocol::agent::{
    FailureKind, PushedFile, RootFs, ShutdownRequest, SignalRequest, StateRequest,
};
use serde_json::{Value, json};
use ttrpc::Code;

use crate::harness::{Guest, class, context, create, refusal, set_spec};

#[tokio::test]
async fn exit_status_is_kept_until_delete_and_delete_may_be_repeated() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sh", "-c", "exit 7"])).await;
    let first = guest.wait("c", "").await;
    assert_eq!((first.exit_code, first.oom_killed), (7, false));
    assert_eq!(guest.wait("c", "").await, first);
    guest.delete("c").await;
    guest.delete("c").await;
    let state = StateRequest {
        container_id: "c".into(),
        ..StateRequest::default()
    };
    let gone = refusal(guest.calls.state(context(), &state).await);
    assert_eq!(class(&gone), (Code::NOT_FOUND, None));
}

#[tokio::test]
async fn command_that_cannot_run_is_classified_and_leaves_nothing() {
    let guest = Guest::boot().await;
    let not_found = FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND;
    let not_executable = FailureKind::FAILURE_KIND_COMMAND_NOT_EXECUTABLE;
    for (command, code, kind, text) in [
        (
            "nope",
            Code::NOT_FOUND,
            not_found,
            "exec: \"nope\": executable file not found in $PATH",
        ),
        (
            "/etc/passwd",
            Code::PERMISSION_DENIED,
            not_executable,
            "exec: \"/etc/passwd\": permission denied",
        ),
        (
            "/etc",
            Code::PERMISSION_DENIED,
            not_executable,
            "exec: \"/etc\": is a directory",
        ),
    ] {
        let request = create("same", &[command]);
        let status = refusal(guest.calls.create_container(context(), &request).await);
        assert_eq!(status.message, text);
        assert_eq!(class(&status), (code, Some(kind)));
    }
    assert_eq!(guest.script("same", "echo runs").await, "runs\n");
}

#[tokio::test]
async fn container_sees_itself_only() {
    let guest = Guest::boot().await;
    let script = "hostname; echo $$; head -c 0 /proc/1/environ; cat /proc/self/cgroup | head -n 100; \
                  ls /proc/self/fd; cat /sys/class/net/lo/flags; ls /sys/class/net; pwd";
    let seen = guest.script("c", script).await;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..2], ["inside", "1"]);
    assert!(lines.contains(&"0::/"), "{seen}");
    // 0, 1, 2 and the directory that ls reads; the loopback is up (0x9) and alone.
    let tail = &lines[lines.len() - 7..];
    assert_eq!(tail, ["0", "1", "2", "3", "0x9", "lo", "/work"], "{seen}");
}

#[tokio::test]
async fn user_files_and_parameters_of_the_request_are_applied() {
    let guest = Guest::boot().await;
    let script = "id -u; id -G; cat /etc/hosts /proc/sys/net/ipv4/ip_default_ttl";
    let mut request = create("c", &[]);
    set_spec(&mut request, &["sh", "-c", script], |spec| {
        spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "77"});
    });
    request.user = "web".into();
    request.files = vec![PushedFile {
        path: "/etc/hosts".into(),
        content: b"pushed\n".to_vec(),
        mode: 0o644,
        ..PushedFile::default()
    }];
    guest.run(&request).await;
    assert_eq!(guest.read("c", "").await, "33\n34 50\npushed\n77\n");
}

#[tokio::test]
async fn root_without_scratch_disk_is_read_only() {
    let guest = Guest::boot().await;
    let mut request = create("c", &["sh", "-c", "touch /file 2>/dev/null; echo $?"]);
    request.rootfs = Some(RootFs {
        layer_serials: vec!["image1".into()],
        ..RootFs::default()
    })
    .into();
    guest.run(&request).await;
    assert_eq!(guest.read("c", "").await, "1\n");
}

#[tokio::test]
async fn writes_of_one_container_are_not_seen_by_the_next() {
    let guest = Guest::boot().await;
    guest.script("a", "echo mine > /file").await;
    assert_eq!(
        guest.script("b", "ls /file 2>/dev/null; echo $?").await,
        "1\n"
    );
    guest.delete("a").await;
    guest.delete("b").await;
    assert_eq!(
        guest.script("a", "ls /file 2>/dev/null; echo $?").await,
        "1\n"
    );
}

#[tokio::test]
async fn killing_all_ends_every_process() {
    let guest = Guest::boot().await;
    guest
        .run(&create("c", &["sh", "-c", "sleep 1000 & sleep 1000"]))
        .await;
    let kill = SignalRequest {
        container_id: "c".into(),
        signal: 9,
        all: true,
        ..SignalRequest::default()
    };
    guest.calls.signal(context(), &kill).await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 137);
    let late = SignalRequest {
        all: false,
        ..kill.clone()
    };
    let refused = refusal(guest.calls.signal(context(), &late).await);
    assert_eq!(class(&refused).0, Code::FAILED_PRECONDITION);
}

#[tokio::test]
async fn id_that_is_taken_or_malformed_is_refused() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let again = create("c", &["true"]);
    let taken = refusal(guest.calls.create_container(context(), &again).await);
    assert_eq!(class(&taken).0, Code::ALREADY_EXISTS);
    let malformed = create("../c", &["true"]);
    let refused = refusal(guest.calls.create_container(context(), &malformed).await);
    assert_eq!(class(&refused).0, Code::INVALID_ARGUMENT);
}

#[tokio::test]
async fn shutdown_answers_and_then_the_agent_ends() {
    let mut guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let request = ShutdownRequest::default();
    guest.calls.shutdown(context(), &request).await.unwrap();
    assert!(guest.agent.wait().unwrap().success());
}

#[tokio::test]
async fn paths_devices_and_home_are_as_runc_leaves_them() {
    let guest = Guest::boot().await;
    let script = "echo $HOME; busybox grep ' /bin ' /proc/self/mountinfo | busybox cut -d' ' -f6; \
                  busybox stat -c '%a %F' /dev/deep /dev/deep/zero; echo x > /bin/new || echo kept";
    let mut request = create("c", &[]);
    set_spec(&mut request, &["sh", "-c", script], |spec| {
        // Nobody is known by name.
        spec["linux"]["maskedPaths"] = json!(["/etc/passwd"]);
        spec["linux"]["readonlyPaths"] = json!(["/bin", "/no/such/path"]);
        spec["linux"]["devices"] =
            json!([{"path": "/dev/deep/zero", "type": "c", "major": 1, "minor": 5}]);
    });
    guest.run(&request).await;
    assert_eq!(
        guest.read("c", "").await,
        "/\nro,relatime\n755 directory\n666 character special file\nkept\n"
    );
}

#[tokio::test]
async fn tmpfs_without_a_mode_has_that_of_the_directory_below() {
    let guest = Guest::boot().await;
    let script = "busybox stat -c '%a' /tight /told /inner/tight /none";
    let mut request = create("c", &[]);
    request.files = ["/tight/x", "/told/x", "/inner/tight/x"]
        .map(|path| PushedFile {
            path: path.into(),
            ..PushedFile::default()
        })
        .into();
    set_spec(&mut request, &["sh", "-c", script], |spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let mut mount = |destination: &str, options: &[&str]| {
            mounts.push(json!({"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": options}));
        };
        mount("/tight", &["size=64k"]);
        mount("/told", &["mode=1711"]);
        mount("/inner", &["mode=755"]);
        // What the image has there is out of sight by now.
        mount("/inner/tight", &[]);
        mount("/none", &[]);
    });
    guest.run(&request).await;
    assert_eq!(guest.read("c", "").await, "755\n1711\n1777\n1777\n");
}

/// R106 and what bad input gets: a name and a value, no process, no trace.
#[tokio::test]
async fn r106_what_cannot_be_is_named_and_leaves_nothing() {
    let guest = Guest::boot().await;
    type Change = fn(&mut Value);
    let cases: [(Change, Code, &str); 10] = [
        (
            |spec| spec["process"]["cwd"] = json!("/etc/passwd"),
            Code::INTERNAL,
            "make working directory /etc/passwd: Not a directory",
        ),
        (
            |spec| spec["linux"]["sysctl"] = json!({"vm.swappiness": "10"}),
            Code::UNIMPLEMENTED,
            "linux.sysctl: \"vm.swappiness\" is not in a separate kernel namespace",
        ),
        (
            |spec| spec["linux"]["sysctl"] = json!({"net.ipv4.no_such": "10"}),
            Code::INTERNAL,
            "set sysctl net.ipv4.no_such: No such file or directory",
        ),
        (
            |spec| spec["linux"]["sysctl"] = json!({"kernel.msgmax": "most"}),
            Code::INTERNAL,
            "kernel.msgmax",
        ),
        (
            |spec| spec["mounts"][3]["options"] = json!(["ro", "loud"]),
            Code::INVALID_ARGUMENT,
            "mounts[3] at /sys: option \"loud\" is none of sysfs's: Invalid argument",
        ),
        (
            |spec| spec["mounts"][1]["options"] = json!(["size=much", "mode=755"]),
            Code::INVALID_ARGUMENT,
            "mounts[1] at /dev: option \"size=much\" is none of tmpfs's: Invalid argument",
        ),
        (
            |spec| spec["mounts"][1]["options"] = json!(["tmpcopyup"]),
            Code::UNIMPLEMENTED,
            "mounts[1] at /dev: option \"tmpcopyup\" is not supported",
        ),
        (
            |spec| spec["mounts"][0]["type"] = json!("ext4"),
            Code::UNIMPLEMENTED,
            "mounts[0] at /proc: type \"ext4\"",
        ),
        (
            |spec| spec["linux"]["resources"] = json!({"cpu": {"cpus": "0-x"}}),
            Code::INVALID_ARGUMENT,
            "cpu.cpus",
        ),
        (
            |spec| spec["linux"]["resources"] = json!({"memory": {"limit": -7}}),
            Code::INVALID_ARGUMENT,
            "memory.limit",
        ),
    ];
    for (change, code, words) in cases {
        let mut request = create("c", &[]);
        set_spec(&mut request, &["true"], change);
        let status = refusal(guest.calls.create_container(context(), &request).await);
        assert!(
            status.message.contains(words),
            "{words}: {}",
            status.message
        );
        assert_eq!(status.message.lines().count(), 1, "{}", status.message);
        assert_eq!(class(&status).0, code, "{}", status.message);
    }
    for user in ["ghost", "0:ghosts", "4294967296"] {
        let mut request = create("c", &["true"]);
        request.user = user.into();
        let status = refusal(guest.calls.create_container(context(), &request).await);
        let name = user.rsplit(':').next().unwrap();
        assert!(status.message.contains(name), "{}", status.message);
        assert_eq!(class(&status).0, Code::INVALID_ARGUMENT);
    }
    assert_eq!(guest.children(), Vec::<String>::new());
    assert_eq!(guest.script("c", "echo next").await, "next\n");
}
