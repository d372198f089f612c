//! The root, mounts, devices.

use serde_json::{Value, json};

fn add(spec: &mut Value, field: &str, more: impl IntoIterator<Item = Value>) {
    let mut list = spec["linux"][field].as_array().cloned().unwrap_or_default();
    list.extend(more);
    spec["linux"][field] = list.into();
}

fn mount(spec: &mut Value, destination: &str, kind: &str, options: &[&str]) {
    let mut list = spec["mounts"].as_array().cloned().unwrap_or_default();
    list.push(
        json!({"destination": destination, "type": kind, "source": kind, "options": options}),
    );
    spec["mounts"] = list.into();
}

/// Read-only, with one writable place in it.
pub(super) fn read_only_root(spec: &mut Value) {
    spec["root"]["readonly"] = json!(true);
    mount(spec, "/tmp", "tmpfs", &["nosuid", "nodev", "mode=1777"]);
}

pub(super) fn tmpfs(spec: &mut Value) {
    mount(
        spec,
        "/tmp",
        "tmpfs",
        &[
            "noexec",
            "nosuid",
            "nodev",
            "noatime",
            "size=1m",
            "nr_inodes=100",
            "mode=0711",
            "uid=1001",
            "gid=1002",
        ],
    );
    mount(spec, "/etc", "tmpfs", &["ro"]);
    mount(spec, "/tmp/inner", "tmpfs", &["nodiratime", "size=50%"]);
}

/// An extension of runc's: the file system begins with what it covers.
pub(super) fn copy_up(spec: &mut Value) {
    mount(spec, "/etc", "tmpfs", &["tmpcopyup", "mode=0755"]);
}

/// A destination that is not there, and one behind a link that leads out of the root.
pub(super) fn deep_destination(spec: &mut Value) {
    mount(spec, "/new/deep/place", "tmpfs", &["size=1m"]);
    mount(spec, "/tmp/../var/log/../other", "tmpfs", &["size=1m"]);
    spec["process"]["cwd"] = json!("/not/made/yet");
}

pub(super) fn propagation(spec: &mut Value) {
    spec["linux"]["rootfsPropagation"] = json!("slave");
    mount(spec, "/tmp", "tmpfs", &["rprivate"]);
    mount(spec, "/var/log", "tmpfs", &["rslave"]);
}

pub(super) fn writable(spec: &mut Value) {
    nothing_read_only(spec);
    if let Some(mounts) = spec["mounts"].as_array_mut() {
        for mount in mounts {
            if mount["destination"] == "/sys" || mount["destination"] == "/sys/fs/cgroup" {
                mount["options"] = json!(["nosuid", "noexec", "nodev", "rw"]);
            }
        }
    }
}

fn nothing_read_only(spec: &mut Value) {
    spec["linux"]["readonlyPaths"] = json!([]);
}

pub(super) fn missing_source(spec: &mut Value) {
    let mut list = spec["mounts"].as_array().cloned().unwrap_or_default();
    list.push(json!({"destination": "/mnt", "type": "bind", "source": "/no/such/source", "options": ["rbind", "ro"]}));
    spec["mounts"] = list.into();
}

/// A device that engines do not give, under a name of its own, with an owner; its rule lets it be read.
pub(super) fn extra_device(spec: &mut Value) {
    let fuse = json!({"path": "/dev/my-fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 1001, "gid": 1002});
    let zero = json!({"path": "/dev/deep/zero", "type": "c", "major": 1, "minor": 5});
    add(spec, "devices", [fuse, zero]);
    spec["linux"]["resources"]["devices"] = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"},
    ]);
}

/// One that may be read and not written because a later rule says so, and one that may be made and not opened.
pub(super) fn device_rules(spec: &mut Value) {
    let fuse =
        json!({"path": "/dev/my-fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666});
    let log =
        json!({"path": "/dev/my-log", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666});
    add(spec, "devices", [fuse, log]);
    spec["linux"]["resources"]["devices"] = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "w"},
        {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "m"},
        {"allow": true, "type": "b", "access": "m"},
    ]);
}
