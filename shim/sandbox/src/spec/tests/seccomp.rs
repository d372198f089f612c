//! The default profile as a function of the capabilities. What its filter does is proven by the agent's tests.

use std::collections::HashSet;

use oci_spec::runtime::{Capabilities, Capability, LinuxSeccomp, LinuxSeccompAction};

use super::super::default_profile;

fn profile(granted: &[Capability]) -> LinuxSeccomp {
    let granted: Capabilities = granted.iter().copied().collect();
    serde_json::from_value(default_profile(&granted)).unwrap()
}

/// Names that are allowed whatever the arguments are.
fn allowed(granted: &[Capability]) -> Vec<String> {
    let calls = profile(granted).syscalls().clone().unwrap();
    let always = calls
        .iter()
        .filter(|call| call.action() == LinuxSeccompAction::ScmpActAllow && call.args().is_none());
    always.flat_map(|call| call.names().clone()).collect()
}

#[test]
fn what_everyone_may_call_is_named_once() {
    let names = allowed(&[]);
    let each: HashSet<&String> = names.iter().collect();
    assert_eq!(each.len(), names.len());
    assert!(names.len() > 290, "{}", names.len());
}

#[test]
fn what_touches_the_whole_system_takes_a_capability() {
    let none = allowed(&[]);
    for (capability, call) in [
        (Capability::SysAdmin, "mount"),
        (Capability::SysAdmin, "unshare"),
        (Capability::SysAdmin, "clone3"),
        (Capability::SysModule, "init_module"),
        (Capability::SysBoot, "reboot"),
        (Capability::SysTime, "clock_settime"),
        (Capability::SysChroot, "chroot"),
        (Capability::SysNice, "mbind"),
        (Capability::DacReadSearch, "open_by_handle_at"),
        (Capability::Bpf, "bpf"),
    ] {
        assert!(!none.iter().any(|name| name == call), "{call}");
        assert!(
            allowed(&[capability]).iter().any(|name| name == call),
            "{call}"
        );
    }
    for call in [
        "kexec_load",
        "add_key",
        "keyctl",
        "swapon",
        "userfaultfd",
        "io_uring_setup",
    ] {
        let all = [
            Capability::SysAdmin,
            Capability::SysBoot,
            Capability::SysModule,
        ];
        assert!(!allowed(&all).iter().any(|name| name == call), "{call}");
    }
}

#[test]
fn what_is_forbidden_fails_with_eperm_and_clone3_is_not_there() {
    let profile = profile(&[]);
    assert_eq!(profile.default_action(), LinuxSeccompAction::ScmpActErrno);
    assert_eq!(profile.default_errno_ret(), Some(1));
    let calls = profile.syscalls().clone().unwrap();
    let clone3 = calls
        .iter()
        .find(|call| call.names() == &["clone3"])
        .unwrap();
    assert_eq!(clone3.errno_ret(), Some(38));
}
