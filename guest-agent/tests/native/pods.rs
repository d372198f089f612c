//! Containers of one pod: what they share, what they do not, and what the end of one means for the others.

use std::process::Command;

use husk_protocol::agent::{
    ConfigureInterfaceRequest, CreateContainerRequest, InterfaceAddress, ListProcessesRequest,
    SharedNamespaces, SignalRequest, StreamKind,
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ttrpc::Code;

use crate::harness::{Guest, class, context, create, exec, refusal, set_spec};

fn all() -> SharedNamespaces {
    SharedNamespaces {
        net: true,
        ipc: true,
        uts: true,
        pid: true,
        ..SharedNamespaces::default()
    }
}

fn apart_in_processes() -> SharedNamespaces {
    SharedNamespaces {
        pid: false,
        ..all()
    }
}

/// A container that shares, and whose specification says nothing of what it shares.
fn sharing(
    id: &str,
    script: &str,
    shared: SharedNamespaces,
    change: impl FnOnce(&mut Value),
) -> CreateContainerRequest {
    let mut request = create(id, &[]);
    set_spec(&mut request, &["sh", "-c", script], |spec| {
        spec["hostname"] = Value::Null;
        spec["linux"]["namespaces"] =
            json!([{"type": "mount"}, {"type": "pid"}, {"type": "network"}]);
        change(spec);
    });
    let mut stdio = request.stdio.take().unwrap();
    stdio.stdin = true;
    request.stdio = Some(stdio).into();
    request.shared = Some(shared).into();
    request
}

/// Runs a container that tells when it is up, and then reads its input to the end.
async fn stay(guest: &Guest, request: &CreateContainerRequest) {
    guest.run(request).await;
    let id = &request.container_id;
    let mut output = guest.stream(id, "", StreamKind::STREAM_KIND_STDOUT).await;
    let mut up = [0; 3];
    output.read_exact(&mut up).await.unwrap();
    assert_eq!(&up, b"up\n");
}

async fn run_in(guest: &Guest, request: &CreateContainerRequest) -> String {
    guest.run(request).await;
    let written = guest.read(&request.container_id, "").await;
    guest.wait(&request.container_id, "").await;
    written
}

/// What its namespaces are, one a line: net, ipc, uts, pid, mnt, cgroup.
const LINKS: &str =
    "for kind in net ipc uts pid mnt cgroup; do busybox readlink /proc/self/ns/$kind; done";

#[tokio::test]
async fn shared_kinds_are_one_and_the_others_are_many() {
    let guest = Guest::boot().await;
    let mut seen = Vec::new();
    for (id, shared) in [
        ("a", all()),
        ("b", apart_in_processes()),
        ("c", all()),
        ("d", SharedNamespaces::default()),
    ] {
        // All of them live until the end: the kernel uses numbers of namespaces again.
        stay(&guest, &sharing(id, "echo up; exec cat", shared, |_| {})).await;
        let mut request = exec("e", &["sh", "-c", LINKS]);
        request.container_id = id.into();
        guest.calls.exec(context(), &request).await.unwrap();
        let links = guest.read(id, "e").await;
        seen.push(links.lines().map(str::to_owned).collect::<Vec<_>>());
    }
    let same = |kind: usize, a: usize, b: usize| seen[a][kind] == seen[b][kind];
    for kind in 0..3 {
        assert!(same(kind, 0, 1) && same(kind, 0, 2), "{seen:?}");
    }
    assert!(same(3, 0, 2) && !same(3, 0, 1), "{seen:?}");
    // What nobody asks for is the container's own, but for what its specification leaves out.
    for kind in [0, 3, 4, 5] {
        assert!(!same(kind, 0, 3) && !same(kind, 1, 3), "{kind}: {seen:?}");
    }
}

#[tokio::test]
async fn names_parameters_loopback_and_queues_are_the_pods() {
    let guest = Guest::boot().await;
    let script = "echo up; busybox nc -l -p 7777 -e echo answered; cat >/dev/null";
    let first = sharing("a", script, apart_in_processes(), |spec| {
        spec["hostname"] = json!("pod");
        spec["domainname"] = json!("example");
        spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "77", "kernel.shmmni": "99"});
    });
    stay(&guest, &first).await;
    let script = "hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_default_ttl \
                  /proc/sys/kernel/shmmni; until busybox nc 127.0.0.1 7777 2>/dev/null; do :; done";
    let second = sharing("b", script, apart_in_processes(), |_| {});
    let seen = run_in(&guest, &second).await;
    assert_eq!(seen, "pod\nexample\n77\n99\nanswered\n");
    // The last who gives a name gives it to all, as under runc.
    let third = sharing("c", "hostname renamed", apart_in_processes(), |spec| {
        let capability = json!(["CAP_SYS_ADMIN"]);
        spec["process"]["capabilities"] = json!({
            "bounding": capability, "effective": capability, "permitted": capability,
        });
    });
    run_in(&guest, &third).await;
    let mut request = exec("e", &["hostname"]);
    request.container_id = "a".into();
    guest.calls.exec(context(), &request).await.unwrap();
    assert_eq!(guest.read("a", "e").await, "renamed\n");
    // A neighbour that shares nothing has its own.
    assert_eq!(guest.script("d", "hostname").await, "inside\n");
}

#[tokio::test]
async fn processes_of_a_pod_see_each_other_and_its_init_only_if_they_share_them() {
    let guest = Guest::boot().await;
    stay(&guest, &sharing("a", "echo up; exec cat", all(), |_| {})).await;
    let script = "cat /proc/1/comm; until busybox pidof cat >/dev/null; do :; done; echo seen; echo $$; \
                  for p in /proc/[0-9]*; do cat $p/comm; done | busybox sort | busybox uniq -c";
    let together = run_in(&guest, &sharing("b", script, all(), |_| {})).await;
    let lines: Vec<&str> = together.lines().collect();
    assert_eq!(lines[..2], ["husk-init", "seen"], "{together}");
    assert_ne!(lines[2], "1");
    // In an exec of one, the other's are there too.
    let mut request = exec("e", &["sh", "-c", "cat /proc/1/comm; echo $$ >/dev/null"]);
    request.container_id = "a".into();
    guest.calls.exec(context(), &request).await.unwrap();
    assert_eq!(guest.read("a", "e").await, "husk-init\n");
    let script = "echo $$; busybox pidof cat | busybox wc -w";
    let apart = run_in(&guest, &sharing("c", script, apart_in_processes(), |_| {})).await;
    assert_eq!(apart, "1\n0\n");
}

#[tokio::test]
async fn init_of_the_pod_cannot_be_ended_or_looked_into_and_reaps_orphans() {
    let guest = Guest::boot().await;
    // An orphan that has ended is gone, not a zombie: its directory disappears.
    let script = "for s in TERM INT HUP KILL STOP SEGV 34; do kill -$s 1; done; \
                  (sh -c 'echo $PPID >/tmp/parent; exec sleep 0.2' & echo $! >/tmp/orphan); \
                  while test -e /proc/$(cat /tmp/orphan); do :; done; \
                  ls -A /proc/1/root 2>/dev/null | busybox wc -l; \
                  busybox grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs|Seccomp|State):' /proc/1/status; \
                  ls /proc/1/fd 2>&1";
    let everything = |spec: &mut Value| {
        let sets = json!([
            "CAP_SYS_PTRACE",
            "CAP_KILL",
            "CAP_SYS_ADMIN",
            "CAP_DAC_OVERRIDE"
        ]);
        spec["process"]["capabilities"] =
            json!({"bounding": sets, "effective": sets, "permitted": sets});
        let tmp = json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"});
        spec["mounts"].as_array_mut().unwrap().push(tmp);
    };
    let seen = run_in(&guest, &sharing("a", script, all(), everything)).await;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], "0", "{seen}");
    for line in [
        "State:\tS (sleeping)",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(lines.contains(&line), "{line}: {seen}");
    }
    // Standard input and errors, which are /dev/null.
    assert_eq!(lines[lines.len() - 2..], ["0", "2"], "{seen}");
}

#[tokio::test]
async fn end_of_one_ends_its_own_processes_and_leaves_the_others() {
    let guest = Guest::boot().await;
    stay(&guest, &sharing("a", "echo up; exec cat", all(), |_| {})).await;
    let script = "sleep 1000 & echo up; read -r line; exit 4";
    stay(&guest, &sharing("b", script, all(), |_| {})).await;
    let mut request = exec("e", &["sleep", "1000"]);
    request.container_id = "b".into();
    guest.calls.exec(context(), &request).await.unwrap();
    let mut input = guest.stream("b", "", StreamKind::STREAM_KIND_STDIN).await;
    input.write_all(b"end\n").await.unwrap();
    assert_eq!(guest.wait("b", "").await.exit_code, 4);
    assert_eq!(guest.wait("b", "e").await.exit_code, 137);
    // The sleeper in the background holds the output open until it is killed as well.
    assert_eq!(guest.read("b", "").await, "");
    guest.delete("b").await;
    let list = ListProcessesRequest {
        container_id: "a".into(),
        ..ListProcessesRequest::default()
    };
    let listed = guest.calls.list_processes(context(), &list).await.unwrap();
    assert_eq!(listed.processes.len(), 1);
    // Signals to all of one reach none of the other's.
    stay(&guest, &sharing("c", "echo up; exec cat", all(), |_| {})).await;
    let terminate = SignalRequest {
        container_id: "c".into(),
        signal: 15,
        all: true,
        ..SignalRequest::default()
    };
    guest.calls.signal(context(), &terminate).await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 143);
    let mut input = guest.stream("a", "", StreamKind::STREAM_KIND_STDIN).await;
    input.shutdown().await.unwrap();
    assert_eq!(guest.wait("a", "").await.exit_code, 0);
}

#[tokio::test]
async fn end_of_the_pods_init_is_the_end_of_its_processes_and_told() {
    let guest = Guest::boot().await;
    stay(&guest, &sharing("a", "echo up; exec cat", all(), |_| {})).await;
    stay(
        &guest,
        &sharing("b", "echo up; exec cat", apart_in_processes(), |_| {}),
    )
    .await;
    let is_init = |pid: &&String| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        comm.is_ok_and(|comm| comm == "husk-init\n")
    };
    let children = guest.children();
    let init = children.iter().find(is_init).unwrap();
    let init = Pid::from_raw(init.parse().unwrap()).unwrap();
    let ending = pidfd_open(init, PidfdFlags::empty()).unwrap();
    kill_process(init, Signal::KILL).unwrap();
    poll(&mut [PollFd::new(&ending, PollFlags::IN)], None).unwrap();
    assert_eq!(guest.wait("a", "").await.exit_code, 137);
    let late = sharing("c", "true", all(), |_| {});
    let refused = refusal(guest.calls.create_container(context(), &late).await);
    assert_eq!(class(&refused).0, Code::FAILED_PRECONDITION);
    assert_eq!(refused.message, "init of the pod's processes is stopped");
    // Who has processes of its own goes on, and may come.
    let late = sharing("c", "echo here", apart_in_processes(), |_| {});
    assert_eq!(run_in(&guest, &late).await, "here\n");
    let mut input = guest.stream("b", "", StreamKind::STREAM_KIND_STDIN).await;
    input.shutdown().await.unwrap();
    assert_eq!(guest.wait("b", "").await.exit_code, 0);
}

#[tokio::test]
async fn interface_of_the_pod_is_there_for_all_that_share_and_only_for_them() {
    let guest = Guest::boot().await;
    let agent = format!("/proc/{0}/task/{0}/children", guest.agent.id());
    let agent = std::fs::read_to_string(agent).unwrap();
    let made = Command::new("nsenter")
        .args(["-t", agent.trim(), "-n", "sh", "-ec"])
        .arg("ip tuntap add tap0 mode tap; ip link set tap0 address 02:00:00:00:00:0a")
        .status();
    assert!(made.unwrap().success());
    let request = ConfigureInterfaceRequest {
        mac: vec![2, 0, 0, 0, 0, 10],
        name: "eth0".to_owned(),
        mtu: 1400,
        addresses: vec![InterfaceAddress {
            address: vec![10, 7, 0, 2],
            prefix: 24,
            ..InterfaceAddress::default()
        }],
        ..ConfigureInterfaceRequest::default()
    };
    // Before there is a container, and again.
    for _ in 0..2 {
        let set_up = guest.calls.configure_interface(context(), &request);
        set_up.await.unwrap();
    }
    let script = "cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address; \
                  busybox ip -o addr show dev eth0 | busybox grep -c 'inet 10.7.0.2/24'";
    for id in ["a", "b"] {
        let seen = run_in(&guest, &sharing(id, script, all(), |_| {})).await;
        assert_eq!(seen, "1400\n02:00:00:00:00:0a\n1\n");
    }
    let alone = sharing(
        "c",
        "ls /sys/class/net",
        SharedNamespaces::default(),
        |_| {},
    );
    assert_eq!(run_in(&guest, &alone).await, "lo\n");
    let nobody = ConfigureInterfaceRequest {
        container_id: "nobody".to_owned(),
        ..request
    };
    let refused = refusal(guest.calls.configure_interface(context(), &nobody).await);
    assert_eq!(refused.message, "container nobody does not exist");
}

#[tokio::test]
async fn small_init_passes_on_signals_and_the_end_and_reaps_orphans() {
    let guest = Guest::boot().await;
    let script = "trap 'exit 42' TERM; cat /proc/1/comm; echo $$ $PPID; (sleep 0.1 &); \
                  while busybox pidof sleep >/dev/null; do :; done; \
                  busybox grep -c zombie /proc/*/status | busybox grep -c :1; \
                  echo up; while :; do read -r line; done";
    for no_new_privs in [false, true] {
        let mut request = sharing("a", script, SharedNamespaces::default(), |spec| {
            spec["process"]["noNewPrivileges"] = json!(no_new_privs);
            spec["linux"]["seccomp"] = json!({
                "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": ["memfd_create", "ptrace"], "action": "SCMP_ACT_ERRNO"}],
            });
        });
        request.init = true;
        guest.run(&request).await;
        let mut output = guest.stream("a", "", StreamKind::STREAM_KIND_STDOUT).await;
        let mut lines = [0; 19];
        output.read_exact(&mut lines).await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&lines),
            "husk-init\n2 1\n0\nup\n".to_owned()
        );
        let terminate = SignalRequest {
            container_id: "a".into(),
            signal: 15,
            ..SignalRequest::default()
        };
        guest.calls.signal(context(), &terminate).await.unwrap();
        let mut input = guest.stream("a", "", StreamKind::STREAM_KIND_STDIN).await;
        input.write_all(b"wake up\n").await.unwrap();
        assert_eq!(guest.wait("a", "").await.exit_code, 42);
        guest.delete("a").await;
    }
    // What cannot run is told as without it, before anything runs.
    let mut missing = create("a", &["nope"]);
    missing.init = true;
    let refused = refusal(guest.calls.create_container(context(), &missing).await);
    let text = "exec: \"nope\": executable file not found in $PATH";
    assert_eq!(refused.message, text);
}

#[tokio::test]
async fn paths_and_user_namespaces_are_refused_by_name() {
    let guest = Guest::boot().await;
    let refused = async |change: fn(&mut Value)| {
        let request = sharing("a", "true", all(), change);
        refusal(guest.calls.create_container(context(), &request).await).message
    };
    let path = refused(|spec| {
        spec["linux"]["namespaces"][2]["path"] = json!("/proc/1/ns/net");
    });
    assert_eq!(
        path.await,
        "linux.namespaces: path of the net namespace is not supported"
    );
    let user = refused(|spec| {
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({"type": "user"}));
        spec["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
        spec["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 1000, "size": 10}]);
    });
    assert_eq!(
        user.await,
        "shared.pid together with a user namespace is not supported"
    );
    assert_eq!(
        run_in(&guest, &sharing("a", "echo on", all(), |_| {})).await,
        "on\n"
    );
}
