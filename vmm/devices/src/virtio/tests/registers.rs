//! The register file: identity, negotiation, queue setup, the status machine.

use super::echo::{Echo, FEATURES};
use crate::virtio::MmioHandler;
use crate::virtio::testing::FakeDriver;

const MEM: usize = 1 << 20;

fn driver() -> FakeDriver<Echo> {
    FakeDriver::new(Echo::default(), MEM)
}

#[test]
fn identity_registers_read_as_virtio_mmio_version_2() {
    let driver = driver();
    assert_eq!(driver.read(0x00).to_le_bytes(), *b"virt");
    assert_eq!(driver.read(0x04), 2);
    assert_eq!(driver.read(0x08), 0x7fff);
    assert_eq!(driver.offered(), FEATURES);
}

#[test]
fn feature_page_past_the_second_reads_zero() {
    let driver = driver();
    driver.write(0x14, 2);
    assert_eq!(driver.read(0x10), 0);
}

#[test]
fn features_not_offered_leave_features_ok_unset() {
    let driver = driver();
    driver.write(0x70, 1);
    driver.write(0x70, 3);
    driver.write(0x24, 1);
    driver.write(0x20, 1);
    driver.write(0x24, 0);
    driver.write(0x20, 2);
    driver.write(0x70, 11);
    assert_eq!(driver.read(0x70), 3);
}

#[test]
fn features_without_version_1_leave_features_ok_unset() {
    let driver = driver();
    driver.write(0x70, 3);
    driver.write(0x20, 1);
    driver.write(0x70, 11);
    assert_eq!(driver.read(0x70), 3);
}

#[test]
fn driver_ok_without_features_ok_is_refused() {
    let driver = driver();
    driver.write(0x70, 1);
    driver.write(0x70, 7);
    assert_eq!(driver.read(0x70), 3);
    assert_eq!(driver.slot.with_device(|d| d.activated_with), None);
}

#[test]
fn status_write_that_clears_a_bit_is_ignored() {
    let driver = driver();
    driver.negotiate(u64::MAX);
    driver.write(0x70, 3);
    assert_eq!(driver.read(0x70), 11);
}

#[test]
fn start_activates_with_the_accepted_features() {
    let driver = FakeDriver::started(Echo::default(), MEM, FEATURES & !1);
    assert_eq!(
        driver.slot.with_device(|d| d.activated_with),
        Some(FEATURES & !1)
    );
}

#[test]
fn failed_status_stops_the_device_until_reset() {
    let mut driver = FakeDriver::started(Echo::default(), MEM, FEATURES);
    driver.write(0x70, 15 | 128);
    let buffer = driver.readable(b"lost");
    assert_eq!(driver.transfer(0, &[buffer]), None);
    driver.start(FEATURES);
    assert!(driver.transfer(0, &[buffer]).is_some());
}

#[test]
fn reset_before_first_use_does_not_reach_the_device() {
    let driver = driver();
    driver.write(0x70, 0);
    assert_eq!(driver.slot.with_device(|d| d.resets), 0);
}

#[test]
fn reset_forgets_queues_features_and_interrupts() {
    let driver = FakeDriver::started(Echo::default(), MEM, FEATURES);
    driver.slot.notify_config_change();
    driver.write(0x30, 1);
    driver.write(0x70, 0);
    assert_eq!(driver.read(0x70), 0);
    assert_eq!(driver.read(0x60), 0);
    assert_eq!(driver.slot.with_device(|d| d.resets), 1);
    // The selector is 0 again, and that queue is not ready.
    assert_eq!(driver.read(0x34), 16);
    assert_eq!(driver.read(0x44), 0);
}

#[test]
fn queue_that_does_not_exist_reads_zero() {
    let driver = driver();
    driver.write(0x30, 2);
    assert_eq!(driver.read(0x34), 0);
    driver.write(0x44, 1);
    assert_eq!(driver.read(0x44), 0);
}

#[test]
fn queue_size_not_a_power_of_two_needs_reset() {
    for size in [0, 3, 32, 0x1_0010] {
        let driver = driver();
        driver.negotiate(u64::MAX);
        driver.write(0x38, size);
        driver.write(0x44, 1);
        assert_eq!(driver.read(0x44), 0, "size {size}");
        assert!(driver.needs_reset(), "size {size}");
    }
}

#[test]
fn queue_outside_of_memory_needs_reset() {
    for register in [0x80, 0x90, 0xa0, 0x84, 0x94, 0xa4] {
        let driver = driver();
        driver.negotiate(u64::MAX);
        for (low, at) in [(0x80, 0x1000), (0x90, 0x2000), (0xa0, 0x3000)] {
            driver.write(low, at);
        }
        driver.write(register, 0xffff_fff0);
        driver.write(0x44, 1);
        assert_eq!(driver.read(0x44), 0, "register {register:#x}");
        assert!(driver.needs_reset(), "register {register:#x}");
    }
}

#[test]
fn queue_misaligned_needs_reset() {
    for register in [0x80, 0x90, 0xa0] {
        let driver = driver();
        driver.negotiate(u64::MAX);
        for (low, at) in [(0x80, 0x1000), (0x90, 0x2000), (0xa0, 0x3000)] {
            driver.write(low, at);
        }
        driver.write(register, 0x4001);
        driver.write(0x44, 1);
        assert!(driver.needs_reset(), "register {register:#x}");
    }
}

#[test]
fn queue_in_use_keeps_its_setup() {
    let mut driver = FakeDriver::started(Echo::default(), MEM, FEATURES);
    driver.write(0x30, 0);
    driver.write(0x38, 2);
    driver.write(0x80, 0x9_0000);
    let buffer = driver.readable(b"still there");
    assert!(driver.transfer(0, &[buffer]).is_some());
}

#[test]
fn queue_not_ready_is_not_served() {
    let mut driver = driver();
    driver.negotiate(u64::MAX);
    driver.set_up_queues(u16::MAX);
    driver.write(0x30, 0);
    driver.write(0x44, 0);
    assert_eq!(driver.read(0x44), 0);
    driver.write(0x70, 15);
    let buffer = driver.readable(b"unseen");
    assert_eq!(driver.transfer(0, &[buffer]), None);
    assert!(!driver.needs_reset());
}

#[test]
fn shared_memory_region_reads_as_absent() {
    let driver = driver();
    driver.write(0xac, 0);
    assert_eq!(driver.read(0xb0), u32::MAX);
    assert_eq!(driver.read(0xb4), u32::MAX);
}

#[test]
fn access_of_odd_size_or_place_reads_zero_and_writes_nothing() {
    let driver = driver();
    for len in [0, 1, 2, 3, 5, 8, 16] {
        let mut data = vec![0xaa; len];
        driver.slot.read(0, &mut data);
        assert_eq!(data, vec![0; len]);
        driver.slot.write(0x70, &vec![1; len]);
    }
    for offset in [1, 2, 3, 0x0c + 2, 0x48, 0xfd, 0x1000, u64::MAX - 3] {
        assert_eq!(driver.read(offset), 0, "offset {offset:#x}");
        driver.write(offset, 1);
    }
    assert_eq!(driver.read(0x70), 0);
}

#[test]
fn config_space_reads_any_width_and_zero_past_its_end() {
    let driver = driver();
    driver.slot.with_device(|d| d.served = 0x0403_0201);
    let mut data = [0xff; 8];
    driver.slot.read(0x101, &mut data);
    assert_eq!(data, [2, 3, 4, 0, 0, 0, 0, 0]);
    driver.slot.read(0xffc, &mut data);
    assert_eq!(data, [0; 8]);
}

#[test]
fn config_write_reaches_the_device_once_a_driver_is_there() {
    let driver = driver();
    driver.slot.write(0x100, &[1, 2]);
    assert!(driver.slot.with_device(|d| d.written_config.is_empty()));
    driver.write(0x70, 3);
    driver.slot.write(0x100, &[1, 2]);
    assert_eq!(
        driver.slot.with_device(|d| d.written_config.clone()),
        [1, 2]
    );
}

#[test]
fn config_change_counts_generations_and_interrupts_a_running_driver() {
    let mut driver = driver();
    driver.slot.notify_config_change();
    assert_eq!((driver.read(0xfc), driver.line.pulses()), (1, 0));
    driver.start(FEATURES);
    driver.slot.notify_config_change();
    assert_eq!((driver.read(0xfc), driver.line.pulses()), (2, 1));
    assert_eq!(driver.acknowledge(), 2);
    assert_eq!(driver.read(0x60), 0);
}
