//! One test a field of `linux.resources`.

use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use super::limits;
use crate::resources::settings::{Limits, Setting};

fn translated(resources: Value) -> Result<Limits, String> {
    let resources: LinuxResources = serde_json::from_value(resources).unwrap();
    limits(&resources).map_err(|error| error.to_string())
}

/// What is written, in its order, early and late apart.
fn written(resources: Value) -> (Vec<String>, Vec<String>) {
    let limits = translated(resources).unwrap();
    let lines = |settings: &[Setting]| {
        settings
            .iter()
            .map(|setting| format!("{}={}", setting.file, setting.value))
            .collect()
    };
    (lines(&limits.early), lines(&limits.late))
}

fn early(resources: Value) -> Vec<String> {
    written(resources).0
}

#[test]
fn r62_memory_limits_become_files() {
    let lines = early(json!({"memory": {"limit": 1000, "swap": 1500, "reservation": 500}}));
    assert_eq!(
        lines,
        ["memory.swap.max=500", "memory.max=1000", "memory.low=500"]
    );
    let lines = early(json!({"memory": {"limit": 1000, "swap": 1000}}));
    assert_eq!(lines, ["memory.swap.max=0", "memory.max=1000"]);
    let lines = early(json!({"memory": {"limit": -1}}));
    assert_eq!(lines, ["memory.swap.max=max", "memory.max=max"]);
    assert!(early(json!({"memory": {"limit": 0, "swap": 0}})).is_empty());
}

#[test]
fn memory_values_that_make_no_sense_are_named() {
    let cases = [
        (json!({"limit": -2}), "memory.limit: -2"),
        (json!({"limit": 10, "swap": 5}), "memory.swap: 5 is less"),
        (json!({"swap": 5}), "memory.swap: 5 without"),
        (json!({"reservation": i64::MIN}), "memory.reservation: -92"),
    ];
    for (memory, expected) in cases {
        let told = translated(json!({"memory": memory})).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn memory_fields_of_cgroup_v1_are_ignored_by_name() {
    let limits = translated(json!({"memory": {
        "kernel": 1, "kernelTCP": 1, "swappiness": 5, "disableOOMKiller": true, "useHierarchy": false
    }}))
    .unwrap();
    for field in [
        "kernel",
        "kernelTCP",
        "swappiness",
        "disableOOMKiller",
        "useHierarchy",
    ] {
        let line = format!("linux.resources.memory.{field} is ignored");
        assert!(
            limits
                .warnings
                .iter()
                .any(|warning| warning.starts_with(&line))
        );
    }
    let silent = translated(json!({"memory": {"disableOOMKiller": false, "useHierarchy": true}}));
    assert!(silent.unwrap().warnings.is_empty());
}

#[test]
fn r57_cpu_bandwidth_is_set_last() {
    let (early, late) = written(json!({"cpu": {
        "shares": 1024, "quota": 20000, "period": 50000, "burst": 1000, "idle": 0
    }}));
    assert_eq!(early, ["cpu.weight=100", "cpu.idle=0"]);
    assert_eq!(late, ["cpu.max=20000 50000", "cpu.max.burst=1000"]);
    let unlimited = written(json!({"cpu": {"quota": -1, "period": 50000}})).1;
    assert_eq!(unlimited, ["cpu.max=max 50000"]);
    let default_period = written(json!({"cpu": {"quota": 5000}})).1;
    assert_eq!(default_period, ["cpu.max=5000 100000"]);
}

#[test]
fn shares_become_weights_that_meet_at_both_ends_and_the_default() {
    for (shares, weight) in [
        (1, 1),
        (2, 1),
        (1024, 100),
        (262_144, 10_000),
        (u64::MAX, 10_000),
    ] {
        let lines = early(json!({"cpu": {"shares": shares}}));
        assert_eq!(lines, [format!("cpu.weight={weight}")], "{shares}");
    }
    assert!(early(json!({"cpu": {"shares": 0}})).is_empty());
    let weights: Vec<u64> = [3_u64, 100, 512, 2048, 100_000]
        .into_iter()
        .map(super::weight_of_shares)
        .collect();
    assert!(weights.is_sorted(), "{weights:?}");
}

#[test]
fn r59_cpusets_are_lists_of_numbers() {
    let lines = early(json!({"cpu": {"cpus": "0-1,3", "mems": "0"}}));
    assert_eq!(lines, ["cpuset.cpus=0-1,3", "cpuset.mems=0"]);
    assert!(early(json!({"cpu": {"cpus": "", "mems": ""}})).is_empty());
    for bad in ["a", "1-", "3-1", "1,,2", "-1", "0\nx"] {
        let told = translated(json!({"cpu": {"cpus": bad}})).unwrap_err();
        assert!(told.contains("cpu.cpus"), "{told}");
    }
}

#[test]
fn cpu_fields_that_the_guest_has_not_are_refused_by_name() {
    for field in ["realtimeRuntime", "realtimePeriod"] {
        let told = translated(json!({"cpu": {field: 1000}})).unwrap_err();
        assert!(told.contains(&format!("cpu.{field}")), "{told}");
        translated(json!({"cpu": {field: 0}})).unwrap();
    }
    let told = translated(json!({"cpu": {"idle": 2}})).unwrap_err();
    assert!(told.contains("cpu.idle: 2"), "{told}");
}

#[test]
fn r67_number_of_processes_is_limited() {
    let late = |pids| written(json!({"pids": pids})).1;
    assert_eq!(late(json!({"limit": 7})), ["pids.max=7"]);
    assert_eq!(late(json!({"limit": -1})), ["pids.max=max"]);
    assert!(late(json!({"limit": 0})).is_empty());
    let told = translated(json!({"pids": {"limit": -7}})).unwrap_err();
    assert!(told.contains("pids.limit: -7"), "{told}");
}

#[test]
fn r56_block_io_becomes_weights_and_rates() {
    let lines = early(json!({"blockIO": {
        "weight": 10,
        "weightDevice": [{"major": 8, "minor": 1, "weight": 1000}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
        "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 2}],
        "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 3}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 4}],
    }}));
    assert_eq!(
        lines,
        [
            "io.weight=default 1",
            "io.weight=8:1 10000",
            "io.max=8:0 rbps=1",
            "io.max=8:0 wbps=2",
            "io.max=8:0 riops=3",
            "io.max=8:0 wiops=4",
        ]
    );
}

#[test]
fn block_io_values_that_make_no_sense_are_named() {
    let rate = |rate: i64, major: i64| json!([{"major": major, "minor": 0, "rate": rate}]);
    let cases = [
        (json!({"weight": 9}), "blockIO.weight: weight 9"),
        (json!({"weight": 1001}), "blockIO.weight: weight 1001"),
        (
            json!({"throttleReadBpsDevice": rate(0, 8)}),
            "blockIO.throttleReadBpsDevice[0]: a rate of 0",
        ),
        (
            json!({"throttleWriteIOPSDevice": rate(5, -8)}),
            "blockIO.throttleWriteIOPSDevice[0]: -8:0",
        ),
    ];
    for (block_io, expected) in cases {
        let told = translated(json!({"blockIO": block_io})).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
    let ignored = translated(json!({"blockIO": {"leafWeight": 500}})).unwrap();
    assert!(ignored.warnings[0].contains("blockIO.leafWeight"));
}

#[test]
fn huge_pages_are_refused_unless_none_are_asked_for() {
    let limit = |limit: i64| json!({"hugepageLimits": [{"pageSize": "2MB", "limit": limit}]});
    translated(limit(0)).unwrap();
    let told = translated(limit(2 << 20)).unwrap_err();
    assert!(
        told.contains("hugepageLimits") && told.contains("2MB"),
        "{told}"
    );
}

#[test]
fn network_classes_are_ignored_and_rdma_is_refused_by_name() {
    let limits = translated(json!({"network": {
        "classID": 5, "priorities": [{"name": "eth0", "priority": 1}]
    }}))
    .unwrap();
    assert!(limits.warnings[0].contains("network.classID"));
    assert!(limits.warnings[1].contains("network.priorities"));
    let told = translated(json!({"rdma": {"mlx5_0": {"hcaHandles": 1}}})).unwrap_err();
    assert!(told.contains("mlx5_0"), "{told}");
}

#[test]
fn unified_files_are_written_as_they_are() {
    let (early, late) = written(json!({"unified": {
        "memory.high": "1000", "cpu.max": "max 5000", "cgroup.max.depth": "3", "pids.max": "1"
    }}));
    assert_eq!(early, ["cgroup.max.depth=3", "memory.high=1000"]);
    assert_eq!(late, ["cpu.max=max 5000", "pids.max=1"]);
}

#[test]
fn unified_names_that_are_no_files_of_a_controller_are_refused() {
    for name in [
        "../cgroup.procs",
        "memory/high",
        "",
        ".",
        "..",
        "memory",
        "a\0.b",
        "cgroup.procs",
        "cgroup.subtree_control",
        "cgroup.kill",
        "cgroup.type",
    ] {
        let told = translated(json!({"unified": {name: "1"}})).unwrap_err();
        assert!(told.contains("unified"), "{name:?}: {told}");
    }
}
