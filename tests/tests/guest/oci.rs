//! The fields of an OCI specification, as a container in the guest sees them. docs/oci.md names the check of each row.

use husk_tests::guest::Guest;
use oci_spec::runtime::{LinuxCapabilities, LinuxResources, Spec};
use serde_json::{Value, json};

fn with_resources(spec: &mut Spec, resources: Value) {
    let resources: LinuxResources = serde_json::from_value(resources).unwrap();
    spec.linux_mut()
        .as_mut()
        .unwrap()
        .set_resources(Some(resources));
}

fn may_make_nodes(spec: &mut Spec) {
    let sets =
        json!({"bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"]});
    let sets: LinuxCapabilities = serde_json::from_value(sets).unwrap();
    spec.process_mut()
        .as_mut()
        .unwrap()
        .set_capabilities(Some(sets));
}

/// The kernel's log stands for a device that is there and that nobody gave to the container.
pub(super) fn devices(guest: &Guest) {
    let script = "mknod /tmp/log c 1 11; mknod /tmp/disk b 254 0; \
        for node in /tmp/log /tmp/disk; do \
        dd if=$node of=/dev/null bs=512 count=1 2>&1 | grep -o 'not permitted' || echo open; done; \
        echo x 2>/dev/null >/tmp/log && echo written || echo kept; \
        head -c 1 /dev/zero >/dev/null && echo x >/dev/null && echo plain; ls /dev";
    let sealed = guest
        .run(&["/bin/sh", "-c", script], b"", may_make_nodes)
        .unwrap();
    let lines = sealed.text();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(
        &lines[..4],
        ["not permitted", "not permitted", "kept", "plain"],
        "{sealed:?}"
    );
    let nodes = [
        "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
        "stdout", "tty", "urandom", "zero",
    ];
    assert_eq!(&lines[4..], nodes, "{sealed:?}");
    // Priority, policy (SCHED_RR is 2) and I/O class of the first process, and of a child that they are taken from.
    let scheduled =
        format!("cut -d' ' -f40,41 /proc/$$/stat /proc/self/stat; ionice -p $$; {script}");
    let given = guest
        .run(&["/bin/sh", "-c", &scheduled], b"", |spec| {
            let mut changed = serde_json::to_value(&*spec).unwrap();
            changed["process"]["scheduler"] =
                json!({"policy": "SCHED_RR", "priority": 7, "flags": ["SCHED_RESET_ON_FORK"]});
            changed["process"]["ioPriority"] = json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0});
            *spec = serde_json::from_value(changed).unwrap();
            let rules = json!({"devices": [
                {"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"},
            ]});
            with_resources(spec, rules);
            may_make_nodes(spec);
        })
        .unwrap();
    let lines = given.text();
    let lines: Vec<&str> = lines.lines().collect();
    let expected = [
        "7 2",
        "0 0",
        "idle",
        "open",
        "not permitted",
        "kept",
        "plain",
    ];
    assert_eq!(&lines[..7], expected, "{given:?}");
}

/// A specification that sets what can be set, for `script`.
pub(super) fn everything(script: &str) -> Value {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": kind, "options": options});
    json!({
        "ociVersion": "1.2.0",
        "hostname": "rows", "domainname": "example.org",
        "root": {"path": "rootfs", "readonly": true},
        "process": {
            "user": {"uid": 0, "gid": 7, "additionalGids": [50, 1002], "umask": 63},
            "args": ["/bin/sh", "-c", script],
            "env": ["PATH=/bin", "EMPTY=", "TWO=a=b c"],
            "cwd": "/home/ann",
            "capabilities": {
                "bounding": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"],
                "permitted": ["CAP_CHOWN", "CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]
            },
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}
            ],
            "noNewPrivileges": true,
            // R73: names of a guest that has neither are no reason not to start.
            "apparmorProfile": "docker-default", "selinuxLabel": "system_u:system_r:container_t:s0",
            "oomScoreAdj": 123,
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 6},
            "scheduler": {"policy": "SCHED_BATCH", "nice": 5},
        },
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=4096k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
            mount("/run", "tmpfs", &["nosuid", "noatime", "size=1024k", "private"]),
        ],
        "linux": {
            // No cgroup namespace: the container gets its own all the same.
            "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}],
            "sysctl": {
                "kernel.msgmax": "12345", "fs.mqueue.msg_max": "20",
                "net.ipv4.ip_unprivileged_port_start": "80", "net/core/somaxconn": "1234",
            },
            "devices": [
                {"path": "/dev/own", "type": "c", "major": 1, "minor": 3, "fileMode": 384, "uid": 5, "gid": 6},
                {"path": "/dev/pipe", "type": "p", "fileMode": 420},
            ],
            "maskedPaths": ["/proc/keys", "/sys/firmware", "/proc/none-such"],
            "readonlyPaths": ["/proc/sys", "/proc/none-such"],
            "personality": {"domain": "LINUX32"},
            "rootfsPropagation": "rprivate",
            "resources": {
                "memory": {"limit": 67_108_864, "swap": 100_663_296, "reservation": 16_777_216},
                "cpu": {
                    "shares": 512, "quota": 90000, "period": 100_000, "burst": 8000, "cpus": "0", "mems": "0"
                },
                "pids": {"limit": 77},
                "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
                // The disks that a container has are the guest's: the first one is the scratch disk.
                "blockIO": {
                    "throttleWriteBpsDevice": [{"major": 254, "minor": 0, "rate": 1_073_741_824}],
                    "throttleReadIOPSDevice": [{"major": 254, "minor": 0, "rate": 500_000}],
                },
                "unified": {
                    "memory.oom.group": "1", "memory.high": "60000000", "io.max": "254:0 wiops=400000",
                },
            },
        },
    })
}

/// What the first process of that container sees.
fn expected() -> Value {
    let (chown, kill) = (1_u64, 1_u64 << 5);
    let set = |bits: u64| format!("{bits:016x}");
    let mount = |kind: &str, options: &str| json!({"type": kind, "options": options, "propagation": "private"});
    json!({
        "cwd": "/home/ann",
        "env": {"PATH": "/bin", "EMPTY": "", "TWO": "a=b c"},
        "kernel": {"nodename": "rows", "domainname": "example.org", "machine": "i686"},
        "cgroup": {
            "memory": "67108864", "memory_soft": "16777216", "pids": "77", "cpu": "90000 100000",
            "cpu_weight": "59", "cpuset": "0",
        },
        "process": {
            "Uid": "0 0 0 0", "Gid": "7 7 7 7", "Groups": "50 1002", "Umask": "0077", "NoNewPrivs": "1",
            "CapBnd": set(chown | kill), "CapPrm": set(chown | kill), "CapEff": set(chown | kill),
            "CapInh": set(kill), "CapAmb": set(kill),
            "cgroup": "0::/", "oom_score_adj": "123", "personality": "00000008", "nice": "5", "policy": "3",
            "limits": {
                "open_files": "100 200", "core_file_size": "0 0",
                // What the specification does not give is what the agent has.
                "processes": "unlimited unlimited", "stack_size": "8388608 unlimited",
            },
        },
        "mounts": {
            "/": {"type": "overlay", "options": "relatime,ro", "propagation": "private"},
            "/proc": mount("proc", "nodev,noexec,nosuid,relatime,rw"),
            "/dev": mount("tmpfs", "nosuid,rw"),
            "/dev/pts": mount("devpts", "noexec,nosuid,relatime,rw"),
            "/dev/shm": {"options": "nodev,noexec,nosuid,relatime,rw", "super": "rw,size=4096k"},
            "/dev/mqueue": mount("mqueue", "nodev,noexec,nosuid,relatime,rw"),
            "/sys": mount("sysfs", "nodev,noexec,nosuid,relatime,ro"),
            "/sys/fs/cgroup": mount("cgroup2", "nodev,noexec,nosuid,relatime,ro"),
            "/run": {"options": "noatime,nosuid,rw", "super": "rw,size=1024k"},
        },
        "dev": {
            "own": "c 1:3 0600 5:6, read (Permission denied), write (Permission denied)",
            "pipe": "other 0644 0:0", "fd": "-> /proc/self/fd", "stdin": "-> /proc/self/fd/0",
            "stdout": "-> /proc/self/fd/1", "stderr": "-> /proc/self/fd/2", "ptmx": "-> pts/ptmx",
            "null": "c 1:3 0666 0:0, read ok, write ok", "zero": "c 1:5 0666 0:0, read ok, write ok",
            "full": "c 1:7 0666 0:0, read ok, write ok", "random": "c 1:8 0666 0:0, read ok, write ok",
            "urandom": "c 1:9 0666 0:0, read ok, write ok", "tty": "c 5:0 0666 0:0",
        },
        "paths": {
            "/proc/keys": "c 1:3 0666 0:0, empty, write ok", "/sys/firmware": "directory 1777 0:0, empty",
            "/proc/sys/kernel/hostname": "file 0644 0:0, not empty, write (Read-only file system)",
        },
        "sysctl": {
            "kernel.msgmax": "12345", "fs.mqueue.msg_max": "20",
            "net.ipv4.ip_unprivileged_port_start": "80", "net.core.somaxconn": "1234",
        },
        // R45: nothing of the guest's, and no pod network was asked for.
        "net": {"interfaces": "lo"},
        "streams": {"open": 3},
        "try": {
            "write_root": "(Read-only file system)", "write_shm": "ok", "write_cgroup": "(Read-only file system)",
            "chroot": "(Operation not permitted)", "mount": "(Operation not permitted)",
            "hostname": "(Operation not permitted)", "low_port": "ok",
        },
    })
}

/// Everything in `expected` that `seen` lacks or has otherwise.
pub(super) fn differences(seen: &Value, expected: &Value, path: &str, found: &mut Vec<String>) {
    match expected {
        Value::Object(fields) => {
            for (name, expected) in fields {
                differences(&seen[name], expected, &format!("{path}.{name}"), found);
            }
        }
        expected if seen != expected => found.push(format!("{path}: {seen}, not {expected}")),
        _ => {}
    }
}

/// R12, R15, R18, and by row: R44 R45 R46 R47 R48 (namespaces), R56 R57 R59 R62 (cgroup), R67 (limits of processes), R69 (no
/// new privileges), R71 (capabilities), R73 (labels), R80 R107 (devices), R81 (hidden paths), R98 (read-only root), R106
/// (process).
pub(super) fn fields(guest: &Guest) {
    const GUEST: [(&str, &str); 7] = [
        ("/proc/sys/kernel/pid_max", "4194304"),
        ("/proc/sys/kernel/threads-max", "4194304"),
        ("/proc/sys/vm/max_map_count", "1048576"),
        ("/proc/sys/fs/file-max", "9223372036854775807"),
        ("/proc/sys/fs/inotify/max_user_instances", "8192"),
        ("/proc/sys/fs/inotify/max_user_watches", "1048576"),
        ("/proc/sys/fs/aio-max-nr", "1048576"),
    ];
    // R57, R59: as they were written, which is nothing in a cgroup that nobody told them.
    const CGROUP: [(&str, &str); 7] = [
        ("/sys/fs/cgroup/cpuset.cpus", "0"),
        ("/sys/fs/cgroup/cpuset.mems", "0"),
        ("/sys/fs/cgroup/cpu.max.burst", "8000"),
        ("/sys/fs/cgroup/memory.swap.max", "33554432"),
        ("/sys/fs/cgroup/memory.oom.group", "1"),
        ("/sys/fs/cgroup/memory.high", "59998208"),
        (
            "/sys/fs/cgroup/io.max",
            "254:0 rbps=max wbps=1073741824 riops=500000 wiops=400000",
        ),
    ];
    let files: Vec<&str> = GUEST.iter().chain(&CGROUP).map(|(path, _)| *path).collect();
    let script = format!(
        "probe look; probe read {}; echo through >/dev/stdout; ionice -p $$",
        files.join(" ")
    );
    let outcome = guest
        .run(&[], b"", |spec| {
            *spec = serde_json::from_value(everything(&script)).unwrap()
        })
        .unwrap();
    assert_eq!(outcome.exit.code, 0, "{outcome:?}");
    let text = outcome.text();
    let lines: Vec<&str> = text.lines().collect();
    let seen: Value = serde_json::from_str(lines[0]).unwrap();
    let mut found = Vec::new();
    differences(&seen, &expected(), "", &mut found);
    let read: Value = serde_json::from_str(lines[1]).unwrap();
    for (path, value) in GUEST.iter().chain(&CGROUP) {
        differences(&read[path], &json!(value), path, &mut found);
    }
    // Nothing of the agent's own is in sight (R47), and the working set of mounts is what was asked for.
    let mounts = seen["mounts"].as_object().unwrap();
    let strange = mounts.keys().filter(|point| {
        !["/", "/proc", "/sys", "/dev", "/run"]
            .iter()
            .any(|known| point == known || point.starts_with(&format!("{known}/")))
    });
    found.extend(strange.map(|point| format!("{point} is mounted")));
    assert!(found.is_empty(), "{}\n{seen:#}", found.join("\n"));
    assert_eq!(&lines[2..], ["through", "best-effort: prio 6"], "{text}");
}

/// R69 and mounts: what set-user-id programs gain where mounts allow it and where they do not; options and propagation.
pub(super) fn mounts(guest: &Guest) {
    let script = "for dir in /suid /nosuid; do cp /bin/probe $dir/p; chmod 4755 $dir/p; \
        su ann -c \"$dir/p read /proc/self/status\"; done; probe read /proc/self/mountinfo; \
        /noexec/p 2>/dev/null; cp /bin/probe /noexec/p; /noexec/p read; echo $?; \
        mknod /nodev/null c 1 3 && echo x 2>/dev/null >/nodev/null && echo opened || echo kept; \
        touch /ro/x 2>/dev/null && echo written || echo kept; head -c 80k /dev/zero 2>/dev/null >/small/x || wc -c </small/x";
    let outcome = guest.run(&["/bin/sh", "-c", script], b"", |spec| {
        let mut changed = serde_json::to_value(&*spec).unwrap();
        let mounts = changed["mounts"].as_array_mut().unwrap();
        for (destination, kind, options) in [
            ("/suid", "tmpfs", &["mode=755", "relatime"][..]),
            ("/nosuid", "tmpfs", &["nosuid", "mode=755"]),
            ("/noexec", "tmpfs", &["noexec", "noatime", "nodiratime"]),
            ("/nodev", "tmpfs", &["nodev", "strictatime", "uid=1001", "gid=1002", "mode=700"]),
            ("/ro", "tmpfs", &["ro", "rprivate"]),
            ("/small", "ramfs", &["rslave"]),
            ("/small", "tmpfs", &["size=64k", "nr_inodes=10"]),
        ] {
            mounts.push(json!({"destination": destination, "type": kind, "source": "none", "options": options}));
        }
        let sets = ["CAP_SETUID", "CAP_SETGID", "CAP_MKNOD", "CAP_FOWNER", "CAP_DAC_OVERRIDE"];
        let process = &mut changed["process"];
        process["capabilities"] = json!({"bounding": sets, "effective": sets, "permitted": sets});
        process["noNewPrivileges"] = json!(false);
        changed["linux"]["rootfsPropagation"] = json!("shared");
        *spec = serde_json::from_value(changed).unwrap();
    });
    let outcome = outcome.unwrap();
    let text = outcome.text();
    let lines: Vec<&str> = text.lines().collect();
    let ids = |line: &str| {
        let read: Value = serde_json::from_str(line).unwrap();
        let status = read["/proc/self/status"].as_str().unwrap();
        let line = status.lines().find(|line| line.starts_with("Uid:"));
        line.unwrap()
            .split_whitespace()
            .skip(1)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(ids(lines[0]), "1001 0 0 0", "{text}");
    assert_eq!(ids(lines[1]), "1001 1001 1001 1001", "{text}");
    let table: Value = serde_json::from_str(lines[2]).unwrap();
    let table = table["/proc/self/mountinfo"].as_str().unwrap();
    for (point, expected) in [
        ("/suid", " rw,relatime - tmpfs none rw,mode=755"),
        ("/nosuid", " rw,nosuid,relatime - tmpfs none rw,mode=755"),
        ("/noexec", " rw,noexec,noatime,nodiratime - tmpfs none rw"),
        (
            "/nodev",
            " rw,nodev - tmpfs none rw,mode=700,uid=1001,gid=1002",
        ),
        ("/ro", " ro,relatime - tmpfs none"),
        ("/small", " rw,relatime - ramfs none rw"),
        (
            "/small",
            " rw,relatime - tmpfs none rw,size=64k,nr_inodes=10",
        ),
    ] {
        let start = format!(" {point}{expected}");
        assert!(table.contains(&start), "no {start:?} in:\n{table}");
    }
    let root = table.lines().find(|line| line.contains(" / / "));
    assert!(
        root.is_some_and(|line| line.contains(" shared:")),
        "{table}"
    );
    let rest = lines[3..].join("\n");
    assert_eq!(rest, "126\nkept\nkept\n65536", "{text}");
}
