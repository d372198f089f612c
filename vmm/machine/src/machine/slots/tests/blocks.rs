//! Drives that come and go beside a slot that is busy.

use std::fs::File;
use std::sync::mpsc::channel;
use std::time::Duration;

use husk_devices::block::{BlockClass, BlockDevice};
use husk_devices::virtio::testing::FakeDriver;

use super::{BlockSlot, Blocks};
use crate::api::config::SlotClass;

const WRITABLE: SlotClass = SlotClass::Writable;

fn slots(count: usize) -> (Blocks, Vec<BlockSlot>) {
    let mut blocks = Blocks::default();
    let new = || FakeDriver::new(BlockDevice::new(BlockClass::Writable), 1 << 20).slot;
    let slots: Vec<_> = (0..count).map(|_| new()).collect();
    for slot in &slots {
        blocks.push(WRITABLE, slot.clone());
    }
    (blocks, slots)
}

fn disk() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(4096).unwrap();
    file
}

#[test]
fn drive_comes_and_goes_while_the_disk_of_another_slot_takes_its_time() {
    let (mut blocks, slots) = slots(2);
    blocks.attach((WRITABLE, 0), disk(), "slow").unwrap();
    let (done, is_done) = channel();
    slots[0].with_device(|_busy| {
        std::thread::spawn(move || {
            blocks.attach((WRITABLE, 1), disk(), "other").unwrap();
            blocks.detach(WRITABLE, 1).unwrap();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(120)).unwrap();
    });
}

#[test]
fn serial_is_taken_until_its_drive_is_detached() {
    let (mut blocks, _slots) = slots(2);
    blocks.attach((WRITABLE, 0), disk(), "scratch").unwrap();
    let second = blocks.attach((WRITABLE, 1), disk(), "scratch");
    assert_eq!(
        second.unwrap_err().to_string(),
        "serial \"scratch\" is another drive's"
    );
    let occupied = blocks.attach((WRITABLE, 0), disk(), "late");
    assert_eq!(
        occupied.unwrap_err().to_string(),
        "block slot already holds disk scratch"
    );
    blocks.detach(WRITABLE, 0).unwrap();
    assert!(blocks.detach(WRITABLE, 0).is_err());
    blocks.attach((WRITABLE, 1), disk(), "scratch").unwrap();
    blocks.attach((WRITABLE, 0), disk(), "late").unwrap();
}
