//! `process.scheduler`: what is refused, by which name, and what is left to the kernel.

use serde_json::{Value, json};

use super::real::{adapted_json, docker};

fn answer(scheduler: &Value) -> Option<String> {
    let mut spec = docker();
    spec["process"]["scheduler"] = scheduler.clone();
    adapted_json(&spec).err().map(|error| error.to_string())
}

#[test]
fn r15_scheduler_out_of_range_is_refused_by_its_field() {
    for (scheduler, expected) in [
        (
            json!({"policy": "SCHED_OTHER", "nice": 20}),
            "nice: 20 is not between -20 and 19",
        ),
        (
            json!({"policy": "SCHED_FIFO"}),
            "priority: 0 is not between 1 and 99",
        ),
        (
            json!({"policy": "SCHED_RR", "priority": -1}),
            "priority: -1 is not between 1 and 99",
        ),
        (
            json!({"policy": "SCHED_IDLE", "priority": 1}),
            "priority: 1 is for SCHED_FIFO and SCHED_RR only",
        ),
        (
            json!({"policy": "SCHED_DEADLINE", "runtime": 9_000_000, "deadline": 8_000_000}),
            "runtime 9000000, deadline 8000000 and period 8000000 must grow, from 1024 ns",
        ),
        (
            json!({"policy": "SCHED_DEADLINE", "runtime": 5_000, "deadline": 8_000, "period": 7_000}),
            "runtime 5000, deadline 8000 and period 7000 must grow, from 1024 ns",
        ),
        (
            json!({"policy": "SCHED_ISO"}),
            "policy: SCHED_ISO, which Linux does not have, is not supported",
        ),
        (
            json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_UTIL_CLAMP_MAX"]}),
            "flags: SCHED_FLAG_UTIL_CLAMP_MAX is not supported",
        ),
    ] {
        let told = answer(&scheduler).unwrap();
        assert_eq!(told, format!("process.scheduler.{expected}"), "{scheduler}");
    }
}

#[test]
fn schedulers_that_linux_has_are_taken() {
    for scheduler in [
        json!({"policy": "SCHED_BATCH", "nice": 5}),
        json!({"policy": "SCHED_FIFO", "priority": 99, "flags": ["SCHED_RESET_ON_FORK"]}),
        json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 2_000_000, "period": 2_000_000}),
    ] {
        assert_eq!(answer(&scheduler), None, "{scheduler}");
    }
}
