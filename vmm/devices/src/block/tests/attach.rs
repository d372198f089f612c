//! Disks that come and go, and what is no disk.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use super::guest::{GET_ID, Guest, IOERR, OK, backing_file};
use crate::block::BlockClass::{ReadOnly, Writable};
use crate::block::{BlockDevice, BlockState, Serial, SlotEmpty};
use crate::virtio::VirtioDevice;
use crate::virtio::testing::FakeDriver;

fn serial(text: &str) -> Serial {
    Serial::new(text).unwrap()
}

#[test]
fn attached_disk_is_seen_after_the_config_change() {
    let mut guest = Guest::new(ReadOnly, 0);
    let file = backing_file(guest.dir.path(), 5, ReadOnly);
    let slot = guest.driver.slot.clone();
    slot.with_device(|d| d.attach(file, serial("later")))
        .unwrap();
    slot.notify_config_change();
    assert_eq!(guest.driver.acknowledge(), 2);
    assert_eq!(guest.capacity(), 5);
    assert_eq!(&guest.request(GET_ID, 0, &[], 20).data[..6], b"later\0");
    assert_eq!(guest.read(4, 1).data, [4; 512]);
}

#[test]
fn detached_slot_is_empty_and_can_be_used_again() {
    let mut guest = Guest::new(ReadOnly, 5);
    let slot = guest.driver.slot.clone();
    slot.with_device(BlockDevice::detach).unwrap();
    assert_eq!(guest.capacity(), 0);
    assert_eq!(guest.read(0, 1).status, IOERR);
    assert_eq!(slot.with_device(BlockDevice::detach), Err(SlotEmpty));
    let file = backing_file(guest.dir.path(), 7, ReadOnly);
    slot.with_device(|d| d.attach(file, serial("again")))
        .unwrap();
    assert_eq!((guest.capacity(), guest.read(6, 1).status), (7, OK));
}

/// A driver may leave an empty slot alone but for its interrupt, and probe it once a disk is there.
#[test]
fn empty_slot_without_queues_still_announces_its_disk() {
    let mut guest = Guest::new(ReadOnly, 0);
    guest.driver.negotiate(u64::MAX);
    guest.driver.write(0x70, 15);
    let file = backing_file(guest.dir.path(), 5, ReadOnly);
    let slot = guest.driver.slot.clone();
    slot.with_device(|d| d.attach(file, serial("later")))
        .unwrap();
    slot.notify_config_change();
    assert_eq!(guest.driver.acknowledge(), 2);
    guest.driver.start(u64::MAX);
    assert_eq!(guest.read(2, 1).data, [2; 512]);
}

#[test]
fn disk_survives_a_reset_by_the_driver() {
    let mut guest = Guest::new(ReadOnly, 5);
    guest.driver.start(u64::MAX);
    assert_eq!(guest.read(1, 1).data, [1; 512]);
}

#[test]
fn occupied_slot_refuses_a_second_disk() {
    let guest = Guest::new(Writable, 5);
    let file = guest.file.try_clone().unwrap();
    let error = guest
        .driver
        .slot
        .with_device(|d| d.attach(file, serial("two")));
    assert_eq!(
        error.unwrap_err().to_string(),
        "block slot already holds disk disk-0"
    );
}

#[test]
fn file_that_cannot_be_a_disk_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd");
    std::fs::write(&path, [0; 1000]).unwrap();
    std::fs::write(dir.path().join("none"), []).unwrap();
    drop(backing_file(dir.path(), 8, Writable));
    let disk = dir.path().join("disk");
    let both = || OpenOptions::new().read(true).write(true).to_owned();
    let cases = [
        (
            ReadOnly,
            File::open(&path),
            "disk d: size 1000 is not a positive multiple of 512",
        ),
        (
            ReadOnly,
            File::open(dir.path().join("none")),
            "disk d: size 0 is not a positive multiple of 512",
        ),
        (
            ReadOnly,
            File::open(dir.path()),
            "disk d is neither a regular file nor a block device",
        ),
        (
            Writable,
            both().open("/dev/null"),
            "disk d is neither a regular file nor a block device",
        ),
        (
            ReadOnly,
            both().open(&disk),
            "disk d: the file is open with write access, the slot is read-only",
        ),
        (
            Writable,
            File::open(&disk),
            "disk d: the file is open without write access, the slot is writable",
        ),
        (
            Writable,
            both().append(true).open(&disk),
            "disk d: the file is open for appending",
        ),
        (
            Writable,
            both().custom_flags(libc::O_PATH).open(&disk),
            "disk d: the file is open as a path only",
        ),
    ];
    for (class, file, text) in cases {
        let mut device = BlockDevice::new(class);
        let error = device.attach(file.unwrap(), serial("d")).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(device.capacity_sectors(), 0);
    }
}

#[test]
fn serial_is_letters_digits_dash_and_underscore() {
    for good in ["a", "scratch-0_Z", "01234567890123456789"] {
        assert_eq!(serial(good).as_str(), good);
    }
    for bad in ["", "012345678901234567890", "a b", "a\0", "ä", "a/b", "a\n"] {
        let text = Serial::new(bad).unwrap_err().to_string();
        assert!(!text.contains(['\0', '\n']), "{text:?}");
    }
}

#[test]
fn state_names_the_disk_and_refuses_another_class() {
    let guest = Guest::new(ReadOnly, 5);
    let state = guest.driver.slot.with_device(|d| d.state());
    let expected = BlockState {
        read_only: true,
        capacity_sectors: 5,
        serial: Some("disk-0".to_owned()),
    };
    assert_eq!(state, expected);
    assert!(BlockDevice::new(ReadOnly).restore(state.clone()).is_ok());
    assert_eq!(
        BlockDevice::new(Writable).restore(state).unwrap_err(),
        "read_only true was saved, this slot is Writable"
    );
}

#[test]
fn restored_slot_reads_the_disk_that_was_attached_to_it() {
    let mut guest = Guest::new(ReadOnly, 5);
    guest.read(0, 1);
    let saved = guest.driver.slot.state();
    let mut device = BlockDevice::new(ReadOnly);
    device
        .attach(guest.file.try_clone().unwrap(), serial("other"))
        .unwrap();
    let mut restored = Guest::new(ReadOnly, 1);
    restored.driver = FakeDriver::in_memory(device, guest.driver.mem.clone());
    restored.driver.queues = guest.driver.queues.clone();
    restored.driver.slot.restore(saved).unwrap();
    assert_eq!(restored.read(3, 1).data, [3; 512]);
}
