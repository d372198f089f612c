//! A container with a user namespace, seen from inside: its ids, its files, what it owns and what it does not.

use husk_sandbox::{
    agent::{NewProcess, ProcessId, Reach, StreamKind, Streams},
    spec::default_profile,
};
use husk_tests::guest::Guest;
use oci_spec::runtime::Capabilities;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::oci::{differences, everything};

const SIGKILL: u32 = 9;

/// The ids of an image and of two ranges outside.
const MAP: &str = "0 100000 1000; 1000 200000 64536";

/// What root of the container does to its files, and reads of them.
const FILES: &str = "touch /made && chown 33:1034 /made; mkdir /dir; \
    stat -c '%n %u:%g %a' / /bin /bin/probe /home/ann /made /dir /dev/null /sys/fs/cgroup /sys/fs/cgroup/cgroup.procs \
    /sys/fs/cgroup/memory.max; chown 70000 /made 2>&1; mkdir /sys/fs/cgroup/own && rmdir /sys/fs/cgroup/own && echo delegated; \
    unshare -m true && echo unshared";

/// With everything that a specification can say, but for a device that the guest has not.
fn specification(script: &str) -> Value {
    let mut spec = everything(script);
    spec["root"]["readonly"] = json!(false);
    let sets = ["CAP_CHOWN", "CAP_FOWNER", "CAP_SYS_ADMIN"];
    let process = &mut spec["process"];
    process["cwd"] = json!("/work/below");
    process["capabilities"] = json!({"bounding": sets, "effective": sets, "permitted": sets});
    process["noNewPrivileges"] = json!(false);
    let unlimited = json!({"type": "RLIMIT_MEMLOCK", "soft": u64::MAX, "hard": u64::MAX});
    process["rlimits"].as_array_mut().unwrap().push(unlimited);
    for mount in spec["mounts"].as_array_mut().unwrap() {
        if mount["destination"] == "/sys/fs/cgroup" {
            mount["options"] = json!(["nosuid", "noexec", "nodev"]);
        }
    }
    let linux = &mut spec["linux"];
    linux["devices"] = json!([{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]);
    linux["seccomp"] = default_profile(&Capabilities::from_iter([
        oci_spec::runtime::Capability::SysAdmin,
    ]));
    let namespaces = linux["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "user"}));
    for mappings in ["uidMappings", "gidMappings"] {
        linux[mappings] = json!([
            {"containerID": 0, "hostID": 100_000, "size": 1000},
            {"containerID": 1000, "hostID": 200_000, "size": 64536},
        ]);
    }
    spec
}

fn expected() -> Value {
    let set = format!("{:016x}", 1_u64 | 1 << 3 | 1 << 21);
    let mount = |kind: &str| json!({"type": kind});
    json!({
        "cwd": "/work/below",
        "process": {
            "Uid": "0 0 0 0", "Gid": "7 7 7 7", "Groups": "50 1002", "Umask": "0077", "NoNewPrivs": "0", "Seccomp": "2",
            "CapBnd": set, "CapPrm": set, "CapEff": set, "CapInh": "0000000000000000",
            "uid_map": MAP, "gid_map": MAP, "oom_score_adj": "123", "nice": "5",
            "limits": {"locked_memory": "unlimited unlimited", "open_files": "100 200"},
        },
        "kernel": {"nodename": "rows", "domainname": "example.org"},
        "mounts": {
            "/": mount("overlay"), "/proc": mount("proc"), "/dev/pts": mount("devpts"), "/dev/shm": mount("tmpfs"),
            "/dev/mqueue": mount("mqueue"), "/sys": mount("sysfs"), "/sys/fs/cgroup": mount("cgroup2"),
        },
        "dev": {
            "null": "c 1:3 0666 65534:65534, read ok, write ok", "zero": "c 1:5 0666 65534:65534, read ok, write ok",
            "ptmx": "-> pts/ptmx",
        },
        "paths": {
            "/proc/keys": "c 1:3 0666 65534:65534, empty, write ok", "/sys/firmware": "directory 1777 0:0, empty",
        },
        "sysctl": {
            "kernel.msgmax": "12345", "fs.mqueue.msg_max": "20",
            "net.ipv4.ip_unprivileged_port_start": "80", "net.core.somaxconn": "1234",
        },
        "net": {"interfaces": "lo"},
        "try": {"write_root": "ok", "hostname": "ok", "low_port": "ok"},
    })
}

/// R49: one container, and an exec of one of its users.
pub(crate) fn namespace(guest: &Guest) {
    let script = format!("probe look; {FILES}; exec </dev/null >/dev/null 2>&1; exec sleep 100000");
    let spec = specification(&script);
    let id = guest.fresh_id();
    let output = Streams {
        stdin: false,
        stdout: true,
        stderr: false,
        terminal: None,
    };
    let (seen, joined) = guest.wait(async {
        let spec = serde_json::to_vec(&spec).unwrap();
        let pod = guest.pod();
        let init = guest.create_json(&id, spec, output).await.unwrap();
        let mut stdout = pod.stream(&init, StreamKind::Stdout).await.unwrap();
        pod.start(&id).await.unwrap();
        let mut seen = String::new();
        stdout.read_to_string(&mut seen).await.unwrap();
        let process = json!({
            "user": {"uid": 1001, "gid": 50, "additionalGids": [7]}, "cwd": "/tmp", "env": ["PATH=/bin"],
            "args": ["/bin/sh", "-c", "id; cat /proc/self/uid_map | wc -l; touch own; stat -c %u:%g own; \
                grep -E 'Cap(Eff|Bnd)|Seccomp:' /proc/self/status"],
            "capabilities": {"bounding": ["CAP_CHOWN"]}, "noNewPrivileges": true,
        });
        let exec = ProcessId {
            container: id.clone(),
            exec: "user".to_owned(),
        };
        let process = NewProcess {
            id: exec.clone(),
            process_json: serde_json::to_vec(&process).unwrap(),
            streams: output,
            user: String::new(),
        };
        pod.exec(process).await.unwrap();
        let mut stdout = pod.stream(&exec, StreamKind::Stdout).await.unwrap();
        let mut joined = String::new();
        stdout.read_to_string(&mut joined).await.unwrap();
        pod.wait(&exec).await.unwrap();
        pod.signal(&init, SIGKILL, Reach::All).await.unwrap();
        pod.wait(&init).await.unwrap();
        pod.delete(&init).await.unwrap();
        (seen, joined)
    });
    let (look, files) = seen.split_once('\n').unwrap();
    let look: Value = serde_json::from_str(look).unwrap();
    let mut found = Vec::new();
    differences(&look, &expected(), "", &mut found);
    assert!(found.is_empty(), "{}\n{look:#}", found.join("\n"));
    let expected = "/ 0:0 755\n/bin 0:0 755\n/bin/probe 0:0 755\n/home/ann 0:0 755\n/made 33:1034 600\n/dir 0:7 700\n\
        /dev/null 65534:65534 666\n/sys/fs/cgroup 0:0 755\n/sys/fs/cgroup/cgroup.procs 0:0 644\n\
        /sys/fs/cgroup/memory.max 65534:65534 644\nchown: /made: Invalid argument\ndelegated\nunshared\n";
    assert_eq!(files, expected);
    let expected = "uid=1001(ann) gid=50(staff) groups=7\n2\n1001:50\n\
        CapEff:\t0000000000000000\nCapBnd:\t0000000000000001\nSeccomp:\t2\n";
    assert_eq!(joined, expected);
}
