//! Tests on directories that look like cgroups.

use std::fs;

use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use super::{update, value_before};

fn resources(json: Value) -> LinuxResources {
    serde_json::from_value(json).unwrap()
}

#[test]
fn what_is_named_is_written_and_the_rest_stays() {
    let cgroup = tempfile::tempdir().unwrap();
    for file in ["memory.max", "pids.max", "cpu.max"] {
        fs::write(cgroup.path().join(file), "max\n").unwrap();
    }
    let wanted = json!({"memory": {"limit": 4096}, "cpu": {"quota": 50, "period": 100}});
    update(cgroup.path(), &resources(wanted)).unwrap();
    let read = |file: &str| fs::read_to_string(cgroup.path().join(file)).unwrap();
    assert!(read("memory.max").starts_with("4096"));
    assert!(read("cpu.max").starts_with("50 100"));
    assert_eq!(read("pids.max"), "max\n");
}

#[test]
fn refused_value_is_named_and_those_before_it_are_taken_back() {
    let cgroup = tempfile::tempdir().unwrap();
    fs::write(cgroup.path().join("memory.max"), "8192").unwrap();
    // A directory cannot be written: the kernel refuses.
    fs::create_dir(cgroup.path().join("pids.max")).unwrap();
    let wanted = json!({"memory": {"limit": 4096}, "pids": {"limit": 7}});
    let error = update(cgroup.path(), &resources(wanted)).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "linux.resources.pids.limit: write \"7\" to pids.max");
    let memory = fs::read_to_string(cgroup.path().join("memory.max")).unwrap();
    assert_eq!(memory, "8192");
}

#[test]
fn device_rules_are_refused_by_name() {
    let cgroup = tempfile::tempdir().unwrap();
    let wanted = json!({"devices": [{"allow": false, "access": "rwm"}]});
    let error = update(cgroup.path(), &resources(wanted)).unwrap_err();
    assert!(error.to_string().contains("devices"), "{error}");
}

#[test]
fn lines_of_devices_are_given_back_one_by_one() {
    let text = "8:0 rbps=1 wbps=max riops=max wiops=max\n";
    assert_eq!(value_before("io.max", "8:0 rbps=9", text), text.trim());
    let none = value_before("io.max", "8:16 rbps=9", text);
    assert_eq!(none, "8:16 rbps=max wbps=max riops=max wiops=max");
    assert_eq!(
        value_before("io.weight", "8:0 5", "default 100\n"),
        "8:0 default"
    );
    assert_eq!(value_before("cpu.max", "1 2", "max 100000\n"), "max 100000");
}
