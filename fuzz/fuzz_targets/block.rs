//! Chains of any shape for a block slot. The input is a descriptor table, the heads to offer and what
//! lies in guest memory (headers, indirect tables, ranges).
//! Beyond "no panic": a read-only disk never changes, and a reset brings back a device that works.
#![no_main]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use husk_devices::block::{BlockClass, BlockDevice, Serial};
use husk_devices::virtio::testing::FakeDriver;
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use vm_memory::{Bytes, GuestAddress};

const MEM: usize = 1 << 20;
const SECTORS: usize = 64;
const TABLE_LEN: usize = 16 * 16;
/// Where the rest of the input lies; descriptors that point there are more than noise.
const ARENA: u64 = 0x2_0000;
const ARENA_LEN: usize = 0x1_0000;

fuzz_target!(|input: &[u8]| {
    let [choice, count, rest @ ..] = input else {
        return;
    };
    if rest.len() < TABLE_LEN {
        return;
    }
    let class = if choice & 1 == 0 {
        BlockClass::ReadOnly
    } else {
        BlockClass::Writable
    };
    let content = vec![0x5a; SECTORS * 512];
    let host = File::from(memfd_create("disk", MemfdFlags::CLOEXEC).unwrap());
    host.write_all_at(&content, 0).unwrap();
    let file = match class {
        BlockClass::ReadOnly => File::open(format!("/proc/self/fd/{}", host.as_raw_fd())).unwrap(),
        BlockClass::Writable => host.try_clone().unwrap(),
    };
    let mut device = BlockDevice::new(class);
    device.attach(file, Serial::new("fuzz").unwrap()).unwrap();
    let mut driver = FakeDriver::started(device, MEM, u64::MAX);

    let (table, rest) = rest.split_at(TABLE_LEN);
    driver
        .mem
        .write_slice(table, GuestAddress(driver.queues[0].desc))
        .unwrap();
    let (heads, arena) = rest.split_at(rest.len().min(usize::from(count % 16)));
    let arena = &arena[..arena.len().min(ARENA_LEN)];
    driver.mem.write_slice(arena, GuestAddress(ARENA)).unwrap();
    for head in heads {
        driver.queues[0].offer(u16::from(head % 17));
    }
    driver.kick(0);

    if class == BlockClass::ReadOnly {
        let mut now = vec![0; content.len()];
        host.read_exact_at(&mut now, 0).unwrap();
        assert!(now == content, "a read-only disk has changed");
    }
    assert_eq!(host.metadata().unwrap().len(), content.len() as u64);

    driver.start(u64::MAX);
    let chain = [
        driver.readable(&[0; 16]),
        driver.writable(512),
        driver.writable(1),
    ];
    assert_eq!(driver.transfer(0, &chain).unwrap().len, 513);
});
