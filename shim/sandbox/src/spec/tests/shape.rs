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
fn smallest_shape_that_fits_is_taken() {
    expect(None, None, 1, 256);
    expect(Some(500), None, 1, 256);
    expect(Some(1000), Some(64), 1, 256);
    expect(Some(1001), None, 2, 1024);
    expect(None, Some(180), 1, 256);
    expect(None, Some(256), 1, 512);
    expect(None, Some(512), 2, 1024);
    expect(Some(4000), Some(1024), 4, 4096);
    expect(Some(8000), Some(12 << 10), 8, 16_384);
}

#[test]
fn machines_above_the_ladder_are_cut_to_size() {
    expect(Some(16_000), None, 16, 256);
    expect(None, Some(32 << 10), 1, 34_048);
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
