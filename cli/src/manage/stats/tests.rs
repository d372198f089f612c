//! Tests of figures for people.

use std::time::Duration;

use husk_sandbox::{
    agent::{CpuStats, Stats},
    engine::Usage,
};

use super::{figures, permille, size};

fn usage(at_s: u64, usage_us: u64) -> Usage {
    Usage {
        container: Stats {
            read_at: Duration::from_secs(at_s),
            cpu: Some(CpuStats {
                usage_us,
                ..CpuStats::default()
            }),
            ..Stats::default()
        },
        instructions: 0,
    }
}

#[test]
fn processor_share_is_of_the_time_between_two_looks() {
    assert_eq!(permille(&usage(10, 500), &usage(12, 1_000_500)), Some(500));
}

#[test]
fn clock_that_stands_or_runs_back_gives_no_share() {
    assert_eq!(permille(&usage(10, 0), &usage(10, 9)), None);
    assert_eq!(permille(&usage(10, 0), &usage(9, 9)), None);
    assert_eq!(permille(&usage(10, 9), &usage(11, 0)), None);
}

#[test]
fn sizes_are_in_the_unit_that_people_would_take() {
    assert_eq!(size(0), "0 B");
    assert_eq!(size(1023), "1023 B");
    assert_eq!(size(1536), "1.5 KiB");
    assert_eq!(size(512 << 20), "512.0 MiB");
    assert_eq!(size(u64::MAX), "1677721.5 TiB");
}

#[test]
fn times_for_programs_are_rfc_3339() {
    let stats = usage(1_767_225_600, 7).container;
    let figures = figures(&stats).unwrap();
    assert_eq!(figures["read_at"], "2026-01-01T00:00:00.000000000Z");
    assert_eq!(figures["cpu"]["usage_us"], 7);
}
