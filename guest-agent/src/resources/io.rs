//! `linux.resources.blockIO`.

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};

use super::{
    error::ResourceError,
    settings::{Limits, Setting},
};

/// Bounds of a weight in cgroup v1.
const WEIGHTS: std::ops::RangeInclusive<u16> = 10..=1000;

pub(super) fn translate(block_io: &LinuxBlockIo, limits: &mut Limits) -> Result<(), ResourceError> {
    if let Some(value) = block_io.weight().filter(|weight| *weight != 0) {
        let value = weight("blockIO.weight", value)?;
        limits.early("io.weight", format!("default {value}"), "blockIO.weight");
    }
    if block_io.leaf_weight().is_some_and(|weight| weight != 0) {
        limits.ignore("blockIO.leafWeight", "cgroup v2 has no such weight");
    }
    for (index, device) in block_io.weight_device().iter().flatten().enumerate() {
        let field = format!("blockIO.weightDevice[{index}]");
        if device.leaf_weight().is_some_and(|weight| weight != 0) {
            limits.ignore(&field, "cgroup v2 has no leaf weight");
        }
        let Some(value) = device.weight().filter(|weight| *weight != 0) else {
            continue;
        };
        let value = format!(
            "{} {}",
            numbers(&field, device.major(), device.minor())?,
            weight(&field, value)?
        );
        limits.early.push(Setting::new("io.weight", value, field));
    }
    let throttles = [
        (
            "throttleReadBpsDevice",
            "rbps",
            block_io.throttle_read_bps_device(),
        ),
        (
            "throttleWriteBpsDevice",
            "wbps",
            block_io.throttle_write_bps_device(),
        ),
        (
            "throttleReadIOPSDevice",
            "riops",
            block_io.throttle_read_iops_device(),
        ),
        (
            "throttleWriteIOPSDevice",
            "wiops",
            block_io.throttle_write_iops_device(),
        ),
    ];
    for (name, key, devices) in throttles {
        for (index, device) in devices.iter().flatten().enumerate() {
            let field = format!("blockIO.{name}[{index}]");
            limits.early.push(throttle(field, key, device)?);
        }
    }
    Ok(())
}

fn throttle(
    field: String,
    key: &str,
    device: &LinuxThrottleDevice,
) -> Result<Setting, ResourceError> {
    let numbers = numbers(&field, device.major(), device.minor())?;
    if device.rate() == 0 {
        return Err(ResourceError::Invalid(format!(
            "{field}: a rate of 0 would let nothing through"
        )));
    }
    let value = format!("{numbers} {key}={}", device.rate());
    Ok(Setting::new("io.max", value, field))
}

fn numbers(field: &str, major: i64, minor: i64) -> Result<String, ResourceError> {
    if major < 0 || minor < 0 {
        return Err(ResourceError::Invalid(format!(
            "{field}: {major}:{minor} is no device number"
        )));
    }
    Ok(format!("{major}:{minor}"))
}

/// From 10-1000 to 1-10000, linearly.
fn weight(field: &str, weight: u16) -> Result<u32, ResourceError> {
    if !WEIGHTS.contains(&weight) {
        return Err(ResourceError::Invalid(format!(
            "{field}: weight {weight} is not between {} and {}",
            WEIGHTS.start(),
            WEIGHTS.end()
        )));
    }
    Ok(1 + (u32::from(weight) - 10) * 9999 / 990)
}
