//! The entropy device, driven from plain memory.

use vm_memory::{Bytes, GuestAddress};

use super::RngDevice;
use super::device::MAX_BYTES;
use crate::virtio::testing::{Buffer, FakeDriver};

const MEM: usize = 1 << 20;

fn driver() -> FakeDriver<RngDevice> {
    FakeDriver::started(RngDevice::default(), MEM, u64::MAX)
}

#[test]
fn request_is_filled_with_bytes_that_differ_each_time() {
    let mut driver = driver();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let buffer = driver.writable(64);
        assert_eq!(driver.transfer(0, &[buffer]).unwrap().len, 64);
        seen.push(driver.bytes(buffer));
    }
    seen.push(vec![0; 64]);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
}

#[test]
fn request_in_pieces_is_filled_to_its_end() {
    let mut driver = driver();
    let buffers = [driver.writable(40), driver.writable(1), driver.writable(40)];
    assert_eq!(driver.transfer(0, &buffers).unwrap().len, 81);
    assert_ne!(driver.bytes(buffers[2])[20..], [0; 20]);
}

#[test]
fn huge_request_is_bounded() {
    let mut driver = driver();
    let buffer = driver.writable(MAX_BYTES * 4);
    let len = driver.transfer(0, &[buffer]).unwrap().len;
    assert_eq!(usize::try_from(len).unwrap(), MAX_BYTES);
    let after = GuestAddress(buffer.addr + u64::from(len));
    assert_eq!(driver.mem.read_obj::<u64>(after).unwrap(), 0);
}

#[test]
fn readable_buffer_is_left_alone() {
    let mut driver = driver();
    let buffer = driver.readable(b"not for you");
    assert_eq!(driver.transfer(0, &[buffer]).unwrap().len, 0);
    assert_eq!(driver.bytes(buffer), b"not for you");
}

#[test]
fn buffer_outside_of_memory_gets_nothing() {
    for addr in [u64::MAX - 3, 1 << 40, u64::try_from(MEM).unwrap() - 4] {
        let mut driver = driver();
        let buffer = Buffer {
            addr,
            len: 64,
            writable: true,
        };
        assert_eq!(driver.transfer(0, &[buffer]).unwrap().len, 0, "{addr:#x}");
        assert!(!driver.needs_reset());
    }
}
