//! Containers with a user namespace.

use husk_protocol::agent::{CreateContainerRequest, PushedFile, SharedNamespaces, Stdio};
use serde_json::{Value, json};
use ttrpc::Code;

use crate::harness::{Guest, class, context, create, exec, process, refusal, set_spec};

/// The container's ids begin here outside.
const FIRST: u32 = 100_000;

fn with_user_namespace(spec: &mut Value) {
    let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    // Two ranges: the kernel is told of each.
    for mappings in ["uidMappings", "gidMappings"] {
        spec["linux"][mappings] = json!([
            {"containerID": 0, "hostID": FIRST, "size": 1000},
            {"containerID": 1000, "hostID": FIRST + 5000, "size": 64536},
        ]);
    }
    // The harness covers a part of /sys, and what is covered cannot be mounted anew: that is the guest's to show.
    spec["mounts"].as_array_mut().unwrap().pop();
    spec["process"]["capabilities"] = all_of(&["CAP_CHOWN", "CAP_FOWNER"]);
}

fn all_of(names: &[&str]) -> Value {
    json!({"bounding": names, "effective": names, "permitted": names})
}

fn container(script: &str, change: impl FnOnce(&mut Value)) -> CreateContainerRequest {
    let mut request = create("c", &[]);
    set_spec(&mut request, &["sh", "-c", script], |spec| {
        with_user_namespace(spec);
        change(spec);
    });
    request
}

#[tokio::test]
async fn r49_files_network_and_parameters_are_the_containers_own() {
    let guest = Guest::boot().await;
    let script = "cat /proc/self/uid_map | busybox tr -s ' '; busybox grep -q '127.0.0.1$' /proc/net/fib_trie && echo up; \
        cat /proc/sys/net/ipv4/ip_default_ttl; id; hostname; \
        touch /made /dev/made; busybox mkdir /dir; busybox chown 33:1034 /made; busybox chmod 711 /bin/busybox; \
        busybox stat -c '%n %u:%g %a' / /work /deep /deep/file /bin/busybox /etc/passwd /made /dir /dev/made /dev/null; \
        busybox chown 70000 /made 2>&1; ls -ln /proc/self/fd/1 | busybox tr -s ' ' | busybox cut -d' ' -f3; \
        exec sleep 1000 >/dev/null 2>&1";
    let mut request = container(script, |spec| {
        spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "77"});
        spec["process"]["user"] = json!({"uid": 0, "gid": 0, "additionalGids": [50, 1002]});
    });
    request.files = vec![PushedFile {
        path: "/deep/file".into(),
        mode: 0o640,
        uid: 1000,
        gid: 5,
        ..PushedFile::default()
    }];
    guest.run(&request).await;
    let expected = " 0 100000 1000\n 1000 105000 64536\nup\n77\n\
        uid=0(root) gid=0 groups=50(log),1002\ninside\n\
        / 0:0 755\n/work 0:0 755\n/deep 0:0 755\n/deep/file 1000:5 640\n/bin/busybox 0:0 711\n/etc/passwd 0:0 644\n\
        /made 33:1034 644\n/dir 0:0 755\n/dev/made 0:0 644\n/dev/null 65534:65534 666\n\
        chown: /made: Invalid argument\n0\n";
    assert_eq!(guest.read("c", "").await, expected);
    let changed =
        "id; cat /proc/self/uid_map | busybox wc -l; busybox stat -L -c %u /proc/self/fd/1";
    let mut joins = exec("web", &["sh", "-c", changed]);
    let mut process = process(&["sh", "-c", changed]);
    process["user"] = json!({"uid": 1033, "gid": 34, "additionalGids": [50]});
    joins.process_json = serde_json::to_vec(&process).unwrap();
    guest.calls.exec(context(), &joins).await.unwrap();
    assert_eq!(
        guest.read("c", "web").await,
        "uid=1033 gid=34(web) groups=50(log)\n2\n1033\n"
    );
    process["user"] = json!({"uid": 1, "gid": 0, "additionalGids": [65536]});
    joins.process_json = serde_json::to_vec(&process).unwrap();
    joins.exec_id = "none".into();
    let refused = refusal(guest.calls.exec(context(), &joins).await);
    let words = "process.user.additionalGids 65536 is not in linux.gidMappings";
    assert_eq!(
        (refused.message.as_str(), class(&refused).0),
        (words, Code::INVALID_ARGUMENT)
    );
    guest.delete("c").await;
    assert_eq!(guest.children(), Vec::<String>::new());
    // The same layer without a mapping.
    assert_eq!(
        guest
            .script("c", "busybox stat -c %u:%a /bin/busybox")
            .await,
        "0:755\n"
    );
}

/// The filter and the capability sets, of the first process and of an exec, with no_new_privs and without.
#[tokio::test]
async fn r49_r72_capabilities_and_filter_are_the_specs() {
    let guest = Guest::boot().await;
    let seen = "cat /proc/self/status | busybox grep -E 'Cap(Prm|Eff|Bnd)|NoNew|Seccomp:' | busybox tr -d '\\n\\t'; \
        busybox mkdir /tmp/$$ 2>&1 | busybox grep -o 'Operation.*'";
    let script = format!("{seen}; exec sleep 1000 >/dev/null 2>&1");
    for no_new_privs in [false, true] {
        let request = container(&script, |spec| {
            spec["process"]["capabilities"] = all_of(&["CAP_CHOWN", "CAP_SYS_ADMIN"]);
            spec["process"]["noNewPrivileges"] = json!(no_new_privs);
            spec["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"},
            ]});
        });
        guest.run(&request).await;
        let sets = |bits: u64| {
            format!(
                "CapPrm:{bits:016x}CapEff:{bits:016x}CapBnd:{bits:016x}NoNewPrivs:{}Seccomp:2\
                 Operation not permitted\n",
                u8::from(no_new_privs)
            )
        };
        let expected = sets(1 | 1 << 21);
        assert_eq!(guest.read("c", "").await, expected);
        let mut joins = exec("less", &[]);
        let mut process = process(&["sh", "-c", seen]);
        process["capabilities"] = all_of(&["CAP_KILL"]);
        joins.process_json = serde_json::to_vec(&process).unwrap();
        guest.calls.exec(context(), &joins).await.unwrap();
        assert_eq!(guest.read("c", "less").await, sets(1 << 5));
        guest.delete("c").await;
    }
}

#[tokio::test]
async fn r49_terminal_belongs_to_the_containers_user() {
    let guest = Guest::boot().await;
    let terminal = || {
        Some(Stdio {
            stdout: true,
            terminal: true,
            ..Stdio::default()
        })
    };
    let seen = "busybox stat -c '%n %u' $(busybox tty) /dev/console; echo direct > $(busybox tty)";
    let script = format!("{seen}; exec sleep 1000 </dev/null >/dev/null 2>&1");
    let mut request = container(&script, |spec| {
        spec["process"]["terminal"] = json!(true);
        spec["process"]["user"] = json!({"uid": 33, "gid": 34});
    });
    request.stdio = terminal().into();
    guest.run(&request).await;
    let mut joins = exec("tty", &[]);
    let mut process = process(&["sh", "-c", seen]);
    process["terminal"] = json!(true);
    process["user"] = json!({"uid": 1034, "gid": 34});
    joins.process_json = serde_json::to_vec(&process).unwrap();
    joins.stdio = terminal().into();
    guest.calls.exec(context(), &joins).await.unwrap();
    assert_eq!(
        guest.read("c", "tty").await,
        "/dev/pts/1 1034\r\n/dev/console 33\r\ndirect\r\n"
    );
    guest.delete("c").await;
}

#[tokio::test]
async fn r49_volumes_have_the_ids_that_their_mounts_say() {
    let guest = Guest::boot().await;
    let seen = "busybox stat -c '%n %u:%g' /own /own/file /own/deep /deeper/deep /other /other/file /plain/file /single; \
        touch /own/mine && busybox stat -c '%n %u' /own/mine /other/mine /plain/mine";
    let bind = |source: &str, destination: &str, options: &[&str]| json!({"type": "bind", "source": format!("/run/husk/volumes/{source}"), "destination": destination, "options": options});
    let mut request = container(seen, |spec| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let mut other = bind("v", "/other", &["bind"]);
        other["uidMappings"] = json!([{"containerID": 0, "hostID": FIRST + 50, "size": 10}]);
        other["gidMappings"] = json!([{"containerID": 0, "hostID": FIRST + 60, "size": 10}]);
        mounts.extend([
            bind("v", "/own", &["rbind", "idmap"]),
            bind("v", "/deeper", &["rbind", "ridmap"]),
            other,
            bind("v", "/plain", &["rbind"]),
            bind("single", "/single", &["bind", "ro", "idmap"]),
        ]);
    });
    guest.run(&request).await;
    assert_eq!(
        guest.read("c", "").await,
        "/own 0:0\n/own/file 7:8\n/own/deep 65534:65534\n/deeper/deep 0:0\n/other 50:60\n/other/file 57:68\n\
         /plain/file 65534:65534\n/single 0:0\n/own/mine 0\n/other/mine 50\n/plain/mine 65534\n"
    );
    guest.delete("c").await;
    // Nothing of the volume went with the container, and its mappings need no user namespace.
    set_spec(
        &mut request,
        &["sh", "-c", "busybox stat -c '%n %u:%g' /v/mine /v/file"],
        |spec| {
            let mut mapped = bind("v", "/v", &["bind", "idmap"]);
            mapped["uidMappings"] = json!([{"containerID": 0, "hostID": 40, "size": 10}]);
            mapped["gidMappings"] = json!([{"containerID": 0, "hostID": 0, "size": 10}]);
            spec["mounts"].as_array_mut().unwrap().push(mapped);
        },
    );
    guest.run(&request).await;
    assert_eq!(guest.read("c", "").await, "/v/mine 40:0\n/v/file 47:8\n");
    guest.delete("c").await;
    assert_eq!(guest.children(), Vec::<String>::new());
}

#[tokio::test]
async fn r49_what_cannot_be_is_named_and_leaves_nothing() {
    let guest = Guest::boot().await;
    type Change = fn(&mut Value);
    let cases: [(Change, Code, &str); 5] = [
        (
            |spec| spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "many"}),
            Code::INTERNAL,
            "set sysctl net.ipv4.ip_default_ttl: Invalid argument",
        ),
        (
            |spec| spec["process"]["user"] = json!({"uid": 65536, "gid": 0}),
            Code::INVALID_ARGUMENT,
            "process.user.uid 65536 is not in linux.uidMappings",
        ),
        (
            |spec| spec["process"]["user"] = json!({"uid": 0, "gid": 65536}),
            Code::INVALID_ARGUMENT,
            "process.user.gid 65536 is not in linux.gidMappings",
        ),
        (
            |spec| {
                spec["linux"]["devices"] =
                    json!([{"path": "/dev/none", "type": "c", "major": 1, "minor": 3}]);
            },
            Code::INTERNAL,
            "/dev/none",
        ),
        (
            |spec| spec["linux"]["gidMappings"] = json!([]),
            Code::INVALID_ARGUMENT,
            "linux.gidMappings: container id 0 is not mapped",
        ),
    ];
    for (change, code, words) in cases {
        let request = container("true", change);
        let status = refusal(guest.calls.create_container(context(), &request).await);
        let message = &status.message;
        assert!(message.contains(words), "{words}: {message}");
        assert_eq!(class(&status).0, code, "{message}");
    }
    assert_eq!(guest.children(), Vec::<String>::new());
    assert_eq!(guest.script("c", "echo next").await, "next\n");
}

/// What its namespaces are, its host name and a parameter of its network; it lives on.
const LOOK: &str = "for kind in user net ipc uts mnt; do busybox readlink /proc/self/ns/$kind; done; hostname; \
    cat /proc/sys/net/ipv4/ip_default_ttl; exec sleep 1000 >/dev/null 2>&1";

fn member(id: &str, change: impl FnOnce(&mut Value)) -> CreateContainerRequest {
    let mut request = container(LOOK, change);
    request.container_id = id.into();
    request.shared = Some(SharedNamespaces {
        net: true,
        ipc: true,
        uts: true,
        ..SharedNamespaces::default()
    })
    .into();
    request
}

#[tokio::test]
async fn r49_containers_of_a_pod_share_in_one_user_namespace() {
    let guest = Guest::boot().await;
    let first = member("a", |spec| {
        spec["hostname"] = json!("pod");
        spec["linux"]["sysctl"] = json!({"net.ipv4.ip_default_ttl": "77"});
    });
    let second = member("b", |spec| spec["hostname"] = Value::Null);
    let mut seen = Vec::new();
    for request in [&first, &second] {
        guest.run(request).await;
        let text = guest.read(&request.container_id, "").await;
        seen.push(text.lines().map(str::to_owned).collect::<Vec<_>>());
    }
    let [a, b] = [&seen[0], &seen[1]];
    assert_eq!((&a[..4], &a[5..]), (&b[..4], &b[5..]));
    assert_ne!(a[4], b[4], "mount namespaces are each container's own");
    assert_eq!(a[5..], ["pod", "77"]);
    let mut joins = exec("e", &["sh", "-c", LOOK]);
    joins.container_id = "b".into();
    joins.process_json = serde_json::to_vec(&process(&["sh", "-c", LOOK])).unwrap();
    guest.calls.exec(context(), &joins).await.unwrap();
    let exec: Vec<_> = guest
        .read("b", "e")
        .await
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(&exec, b);
    // Others have no part in it, and the pod goes on.
    let other_ids = member("c", |spec| {
        spec["linux"]["gidMappings"][0]["hostID"] = json!(FIRST + 1)
    });
    let mut without = member("c", |_| ());
    set_spec(&mut without, &["true"], |_| ());
    for (request, expected) in [
        (
            other_ids,
            "linux.uidMappings and linux.gidMappings are not those of the pod's user namespace",
        ),
        (
            without,
            "sharing namespaces with containers of another user namespace is not supported",
        ),
    ] {
        let told = refusal(guest.calls.create_container(context(), &request).await);
        assert_eq!(told.message, expected);
    }
    guest
        .run(&member("c", |spec| spec["hostname"] = Value::Null))
        .await;
    let text = guest.read("c", "").await;
    assert_eq!(text.lines().take(4).collect::<Vec<_>>(), a[..4]);
}
