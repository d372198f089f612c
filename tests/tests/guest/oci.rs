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
    let given = guest
        .run(&["/bin/sh", "-c", script], b"", |spec| {
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
    assert_eq!(
        &lines[..4],
        ["open", "not permitted", "kept", "plain"],
        "{given:?}"
    );
}
