//! Limits of the cgroup.

use serde_json::{Value, json};

pub(super) fn plain(spec: &mut Value) {
    spec["linux"]["resources"] = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "memory": {"limit": 64 << 20, "reservation": 32 << 20},
        "cpu": {"quota": 50_000, "period": 100_000},
        "pids": {"limit": 33},
    });
}

pub(super) fn shares(spec: &mut Value) {
    spec["linux"]["resources"] = json!({
        "devices": [{"allow": false, "access": "rwm"}],
        "cpu": {"shares": 512, "cpus": "0", "mems": "0"},
    });
}
