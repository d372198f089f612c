//! Limits and the machines that they get.

use super::super::{RunOptions, Shape, SpecError, container, shape};
use crate::images::{Accounts, ImageSource};

fn of(cpu_millis: Option<u32>, memory_mib: Option<u64>) -> Result<Shape, SpecError> {
    let options = RunOptions {
        args: vec!["x".to_owned()],
        hostname: "h".to_owned(),
        cpu_millis,
        memory_bytes: memory_mib.map(|mib| mib << 20),
        ..RunOptions::default()
    };
    shape(&container(
        &ImageSource::RootFs,
        &Accounts::default(),
        &options,
        &|_| None,
    )?)
}

fn expect(cpu_millis: Option<u32>, memory_mib: Option<u64>, vcpus: u8, memory: u32) {
    let expected = Shape {
        vcpus,
        memory_mib: memory,
    };
    assert_eq!(
        of(cpu_millis, memory_mib).unwrap(),
        expected,
        "{cpu_millis:?} {memory_mib:?}"
    );
}

#[test]
fn machine_without_limits_is_the_smallest() {
    expect(None, None, 1, 256);
    expect(Some(500), None, 1, 256);
    expect(Some(1000), Some(64), 1, 256);
}

#[test]
fn vcpus_follow_the_cpu_limit_rounded_up() {
    expect(Some(1001), None, 2, 320);
    expect(Some(8000), None, 8, 320);
    expect(Some(16_000), None, 16, 384);
}

#[test]
fn memory_follows_the_memory_limit_and_what_the_guest_needs() {
    expect(None, Some(180), 1, 256);
    expect(None, Some(256), 1, 384);
    expect(None, Some(512), 1, 640);
    expect(None, Some(32 << 10), 1, 33_856);
}

#[test]
fn many_vcpus_bring_little_memory_with_them() {
    expect(Some(8000), Some(1024), 8, 1216);
    expect(Some(4000), Some(1024), 4, 1152);
    expect(Some(8000), Some(12 << 10), 8, 12_800);
}

#[test]
fn memory_of_a_machine_covers_every_limit_without_doubling_it() {
    for limit in (8..100_000_u64).step_by(37) {
        let made = u64::from(of(Some(2000), Some(limit)).unwrap().memory_mib);
        assert!(made >= limit + limit / 32 + 64, "{limit} MiB in {made} MiB");
        assert!(
            made <= (limit + limit / 32 + 136).max(320),
            "{limit} MiB in {made} MiB"
        );
    }
}

#[test]
fn limits_out_of_range_are_named() {
    let text = of(Some(40_000), None).unwrap_err().to_string();
    assert!(text.contains("40000"), "{text}");
    let text = of(Some(5), None).unwrap_err().to_string();
    assert!(text.contains("5 thousandths"), "{text}");
    let text = of(None, Some(1)).unwrap_err().to_string();
    assert!(text.contains("1048576"), "{text}");
}
