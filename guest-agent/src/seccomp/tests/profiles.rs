//! Profiles: Docker's and containerd's defaults, and odd ones. `documented` says whether the default is what it is said to be.

mod documented;

use husk_sandbox::spec::default_profile;
use oci_spec::runtime::{Capabilities, Capability, LinuxSeccomp};
use serde_json::{Value, json};
use syscalls::x86_64::Sysno;

/// Every profile that is compared, by name.
pub(super) fn all() -> Vec<(&'static str, LinuxSeccomp)> {
    let mut all = vec![
        ("docker", docker(&[])),
        (
            "docker with some capabilities",
            docker(&[Capability::SysChroot, Capability::SysNice]),
        ),
        ("docker with CAP_SYS_ADMIN", docker(&[Capability::SysAdmin])),
        ("containerd", containerd()),
    ];
    all.extend(odd().into_iter().map(|(name, json)| (name, read(json))));
    all
}

pub(super) fn read(json: Value) -> LinuxSeccomp {
    serde_json::from_value(json).unwrap()
}

/// The host's default profile, which follows Docker's.
pub(super) fn docker(granted: &[Capability]) -> LinuxSeccomp {
    read(default_profile(
        &granted.iter().copied().collect::<Capabilities>(),
    ))
}

/// It differs from Docker's in what it restricts by argument: every socket is allowed, and clone3 is not hidden.
fn containerd() -> LinuxSeccomp {
    let mut profile = serde_json::to_value(docker(&[Capability::Syslog])).unwrap();
    profile["architectures"] = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    profile.as_object_mut().unwrap().remove("defaultErrnoRet");
    let calls = profile["syscalls"].as_array_mut().unwrap();
    calls.retain(|call| call["names"] != json!(["socket"]) && call["names"] != json!(["clone3"]));
    calls.push(json!({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": []}));
    read(profile)
}

const NATIVE: [&str; 1] = ["SCMP_ARCH_NATIVE"];

fn arg(index: usize, op: &str, value: u64) -> Value {
    json!({"index": index, "op": format!("SCMP_CMP_{op}"), "value": value})
}

fn masked(index: usize, mask: u64, value: u64) -> Value {
    json!({"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": value})
}

fn odd() -> Vec<(&'static str, Value)> {
    let mut odd = by_default();
    odd.extend(by_number());
    odd.extend(by_operator());
    odd.extend(by_argument());
    odd
}

fn by_default() -> Vec<(&'static str, Value)> {
    vec![
        (
            "nothing is forbidden",
            json!({"defaultAction": "SCMP_ACT_ALLOW"}),
        ),
        (
            "everything kills",
            json!({"defaultAction": "SCMP_ACT_KILL_PROCESS", "architectures": NATIVE}),
        ),
        (
            "one call, and unknown ones",
            json!({
                "defaultAction": "SCMP_ACT_KILL",
                "architectures": NATIVE,
                "syscalls": [{"names": ["execve", "no_such_call", "stat64"], "action": "SCMP_ACT_ALLOW"}],
            }),
        ),
        (
            "the lowest call only",
            json!({
                "defaultAction": "SCMP_ACT_TRAP",
                "architectures": NATIVE,
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}],
            }),
        ),
        (
            "no architecture is listed",
            json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "defaultErrnoRet": 95,
                "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
            }),
        ),
        (
            "another architecture is listed",
            json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "architectures": ["SCMP_ARCH_X32"],
                "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
            }),
        ),
    ]
}

fn by_number() -> Vec<(&'static str, Value)> {
    let even: Vec<&str> = Sysno::iter()
        .filter(|call| call.id() % 2 == 0)
        .map(|call| call.name())
        .collect();
    let thirds = |rest: i32| -> Vec<&str> {
        let names = Sysno::iter().filter(|call| call.id() % 3 == rest);
        names.map(|call| call.name()).collect()
    };
    vec![
        (
            "all actions",
            json!({
                "defaultAction": "SCMP_ACT_LOG",
                "architectures": NATIVE,
                "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"],
                "syscalls": [
                    {"names": ["kexec_load"], "action": "SCMP_ACT_KILL"},
                    {"names": ["add_key"], "action": "SCMP_ACT_KILL_THREAD"},
                    {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"},
                    {"names": ["ptrace"], "action": "SCMP_ACT_TRAP"},
                    {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"},
                    {"names": ["swapoff"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0},
                    {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4094},
                    {"names": ["bpf"], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
                    {"names": ["uname"], "action": "SCMP_ACT_LOG"},
                    {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                    {"names": ["read"], "action": "SCMP_ACT_TRAP"},
                ],
            }),
        ),
        (
            "every other number",
            json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "architectures": NATIVE,
                "syscalls": [{"names": even, "action": "SCMP_ACT_ALLOW"}],
            }),
        ),
        (
            "no neighbour is treated alike",
            json!({
                "defaultAction": "SCMP_ACT_TRACE",
                "architectures": NATIVE,
                "syscalls": [
                    {"names": thirds(0), "action": "SCMP_ACT_ALLOW"},
                    {"names": thirds(1), "action": "SCMP_ACT_KILL"},
                ],
            }),
        ),
    ]
}

/// Compares one argument a rule, as there are operators.
const OPERATORS: [&str; 6] = ["NE", "LT", "LE", "EQ", "GE", "GT"];

/// Needs both words.
const WIDE: u64 = 0x1234_5678_9abc_def0;

fn rules(default: &str, calls: &Value) -> Value {
    json!({"defaultAction": default, "architectures": NATIVE, "syscalls": calls})
}

fn by_operator() -> Vec<(&'static str, Value)> {
    let every = |value: u64| {
        let rule = |(index, op): (usize, &&str)| json!({"names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [arg(index, op, value)]});
        rules(
            "SCMP_ACT_ERRNO",
            &OPERATORS.iter().enumerate().map(rule).collect(),
        )
    };
    vec![
        ("every operator", every(WIDE)),
        ("every operator with zero", every(0)),
        ("every operator with the greatest", every(u64::MAX)),
        ("every operator at 32 bits", every(1 << 32)),
    ]
}

fn by_argument() -> Vec<(&'static str, Value)> {
    let many: Vec<Value> = (0..60)
        .map(|value| json!({"names": ["ioctl", "fcntl", "prctl"], "action": "SCMP_ACT_ALLOW", "args": [arg(1, "EQ", value * 7), arg(2, "GT", value)]}))
        .collect();
    vec![
        (
            "conditions together",
            rules(
                "SCMP_ACT_ERRNO",
                &json!([
                    {"names": ["mmap"], "action": "SCMP_ACT_ALLOW", "args": [arg(5, "NE", 3), masked(2, 4, 0), arg(0, "LE", WIDE)]},
                        {"names": ["mremap"], "action": "SCMP_ACT_ALLOW", "args": [arg(3, "GE", 1 << 40), arg(0, "LT", 10)]},
                {"names": ["mremap"], "action": "SCMP_ACT_ALLOW", "args": [arg(4, "EQ", 1)]},
                    ]),
            ),
        ),
        (
            "conditions on one argument, each alone",
            rules(
                "SCMP_ACT_KILL",
                &json!([
                    {"names": ["socket", "socketpair"], "action": "SCMP_ACT_ALLOW", "args": [arg(0, "EQ", 1), arg(0, "EQ", 2), arg(1, "EQ", 1), arg(0, "EQ", 10)]},
                ]),
            ),
        ),
        (
            "masks",
            rules(
                "SCMP_ACT_ALLOW",
                &json!([
                    {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "args": [masked(0, 0x7e02_0000, 0x1000_0000)]},
                    {"names": ["open"], "action": "SCMP_ACT_ERRNO", "args": [masked(1, 3, 7)]},
                    {"names": ["openat"], "action": "SCMP_ACT_ERRNO", "args": [masked(2, u64::MAX, WIDE)]},
                    {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": [masked(1, 0xff00_0000_0000_00ff, 0x1200_0000_0000_0034)]},
                    {"names": ["fcntl"], "action": "SCMP_ACT_ERRNO", "args": [masked(1, 0xffff_ffff_0000_0000, 0)]},
                    {"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "args": [masked(0, 0, 5)]},
                ]),
            ),
        ),
        (
            "with and without conditions",
            rules(
                "SCMP_ACT_ERRNO",
                &json!([
                    {"names": ["read", "write"], "action": "SCMP_ACT_TRAP", "args": [arg(0, "EQ", 5)]},
                    {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
                    {"names": ["write"], "action": "SCMP_ACT_ERRNO"},
                    {"names": ["open"], "action": "SCMP_ACT_LOG"},
                    {"names": ["open"], "action": "SCMP_ACT_ALLOW", "args": [arg(1, "EQ", 0)]},
                    {"names": ["open"], "action": "SCMP_ACT_ALLOW"},
                ]),
            ),
        ),
        (
            "several actions of one call",
            rules(
                "SCMP_ACT_ALLOW",
                &json!([
                    {"names": ["kill"], "action": "SCMP_ACT_TRAP", "args": [arg(1, "GE", 10)]},
                    {"names": ["kill"], "action": "SCMP_ACT_LOG", "args": [arg(1, "GT", 20)]},
                    {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [arg(1, "EQ", 15)]},
                    {"names": ["kill"], "action": "SCMP_ACT_KILL", "args": [arg(0, "EQ", 1)]},
                    {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3, "args": [arg(0, "EQ", 1), arg(2, "EQ", 4)]},
                    {"names": ["tgkill"], "action": "SCMP_ACT_TRAP", "args": [arg(2, "LT", 10)]},
                    {"names": ["tgkill"], "action": "SCMP_ACT_LOG", "args": [arg(2, "LE", 5)]},
                ]),
            ),
        ),
        (
            "so many rules that jumps get long",
            rules("SCMP_ACT_ERRNO", &json!(many)),
        ),
    ]
}
