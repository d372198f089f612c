//! What a process may do, read in the guest: the five capability sets, no_new_privs, the system call filter.

use std::collections::BTreeMap;

use husk_sandbox::spec::default_profile;
use husk_tests::guest::Guest;
use oci_spec::runtime::{Capabilities, Spec};
use serde_json::json;

/// `unshare` of a user namespace takes no capability: without a filter it succeeds.
const STATUS: &str = "cat /proc/self/status; unshare -U true 2>&1; true";

/// EOPNOTSUPP: no kernel answers `unshare` so, and no default profile.
const ODD_ERRNO: u32 = 95;

/// R72: Docker's filter with an error of our own, in both orders, of root and of somebody else with an ambient capability.
pub(crate) fn status(guest: &Guest) {
    let (kill, both) = (1 << 5, 1 | 1 << 5);
    for no_new_privs in [false, true] {
        let root = json!({"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_CHOWN", "CAP_KILL"],
            "effective": ["CAP_CHOWN", "CAP_KILL"]});
        let user = json!({"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_KILL"],
            "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]});
        // Inheritable, permitted, effective, bounding, ambient: after execve.
        let cases = [
            (0, root, [0, both, both, both, 0]),
            (33, user, [kill, kill, kill, both, kill]),
        ];
        for (uid, capabilities, sets) in cases {
            let change = |spec: &mut Spec| {
                let mut changed = serde_json::to_value(&spec).unwrap();
                let process = &mut changed["process"];
                process["user"] = json!({"uid": uid, "gid": uid});
                process["capabilities"] = capabilities;
                process["noNewPrivileges"] = json!(no_new_privs);
                let mut profile = default_profile(&Capabilities::new());
                profile["syscalls"].as_array_mut().unwrap().push(
                    json!({"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": ODD_ERRNO}),
                );
                changed["linux"]["seccomp"] = profile;
                *spec = serde_json::from_value(changed).unwrap();
            };
            let outcome = guest.run(&["/bin/sh", "-c", STATUS], b"", change).unwrap();
            let text = outcome.text();
            let seen = fields(&text);
            let names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
            for (name, set) in names.into_iter().zip(sets) {
                assert_eq!(seen[name], set, "{name}: uid {uid}, {no_new_privs}: {text}");
            }
            assert_eq!(seen["NoNewPrivs"], u64::from(no_new_privs), "{text}");
            assert_eq!(seen["Seccomp"], 2, "{text}");
            let refused = "unshare: unshare(0x10000000): Operation not supported\n";
            assert!(text.ends_with(refused), "{text}");
        }
    }
}

fn fields(status: &str) -> BTreeMap<&str, u64> {
    let pairs = status.lines().filter_map(|line| line.split_once(':'));
    pairs
        .filter_map(|(name, value)| Some((name, u64::from_str_radix(value.trim(), 16).ok()?)))
        .collect()
}
