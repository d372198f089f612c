//! Chains that no honest driver builds: answered with an error or dropped, and the device lives on.

use vm_memory::{Bytes, GuestAddress};

use super::guest::{Guest, IOERR, MEM, OK};
use crate::block::BlockClass::Writable;
use crate::virtio::testing::Buffer;

fn guest() -> Guest {
    Guest::new(Writable, 64)
}

/// The device is in order, and the disk as it was.
fn assert_unharmed(mut guest: Guest) {
    assert!(!guest.driver.needs_reset());
    assert_eq!(guest.read(5, 1).data, [5; 512]);
    for sector in 0..64_u8 {
        assert_eq!(
            guest.host_bytes(u64::from(sector) * 512, 512),
            [sector; 512]
        );
    }
}

#[test]
fn chain_without_a_status_byte_is_dropped() {
    let mut guest = guest();
    let header = guest.header(1, 0);
    let data = guest.driver.readable(&[0xff; 512]);
    assert_eq!(guest.driver.transfer(0, &[header, data]).unwrap().len, 0);
    assert_eq!(guest.driver.transfer(0, &[header]).unwrap().len, 0);
    assert_unharmed(guest);
}

#[test]
fn chain_of_nothing_is_dropped() {
    let mut guest = guest();
    let nothing = Buffer {
        addr: 0,
        len: 0,
        writable: true,
    };
    assert_eq!(guest.driver.transfer(0, &[nothing]).unwrap().len, 0);
    assert_unharmed(guest);
}

#[test]
fn looped_chain_is_dropped() {
    let mut guest = guest();
    let header = guest.header(1, 0);
    let data = guest.driver.readable(&[0xff; 512]);
    let status = guest.status_byte();
    let queue = &mut guest.driver.queues[0];
    queue.write_descriptor(queue.desc, 0, header, 1, 1);
    queue.write_descriptor(queue.desc, 1, data, 1, 2);
    queue.write_descriptor(queue.desc, 2, status, 3, 2);
    queue.offer(0);
    guest.driver.kick(0);
    assert_eq!(guest.driver.queues[0].pop_used().unwrap().len, 0);
    assert_eq!(guest.driver.bytes(status), [0xee]);
    // The driver's own count of descriptors did not move with this chain.
    assert_unharmed(guest);
}

#[test]
fn chain_that_leaves_its_table_is_dropped() {
    let mut guest = guest();
    let header = guest.header(1, 0);
    let status = guest.status_byte();
    let queue = &mut guest.driver.queues[0];
    queue.write_descriptor(queue.desc, 0, header, 1, 1);
    queue.write_descriptor(queue.desc, 1, status, 3, 16);
    queue.offer(0);
    guest.driver.kick(0);
    assert_eq!(guest.driver.queues[0].pop_used().unwrap().len, 0);
    assert_unharmed(guest);
}

#[test]
fn buffer_outside_of_memory_is_an_io_error() {
    let outside = u64::try_from(MEM).unwrap();
    for addr in [outside, outside - 511, u64::MAX - 100, 1 << 63] {
        for writable in [false, true] {
            let mut guest = guest();
            let data = Buffer {
                addr,
                len: 512,
                writable,
            };
            let chain = [
                guest.header(u32::from(!writable), 0),
                data,
                guest.status_byte(),
            ];
            guest.driver.transfer(0, &chain).unwrap();
            assert_eq!(
                guest.driver.bytes(chain[2]),
                [IOERR],
                "{addr:#x} {writable}"
            );
            assert_unharmed(guest);
        }
    }
}

#[test]
fn status_byte_outside_of_memory_drops_the_request() {
    let mut guest = guest();
    let status = Buffer {
        addr: 1 << 40,
        len: 1,
        writable: true,
    };
    let chain = [
        guest.header(1, 0),
        guest.driver.readable(&[0xff; 512]),
        status,
    ];
    assert_eq!(guest.driver.transfer(0, &chain).unwrap().len, 0);
    assert_unharmed(guest);
}

#[test]
fn readable_after_writable_is_an_io_error() {
    let mut guest = guest();
    let chain = [
        guest.header(1, 0),
        guest.driver.writable(4),
        guest.driver.readable(&[0xff; 512]),
        guest.status_byte(),
    ];
    guest.driver.transfer(0, &chain).unwrap();
    assert_eq!(guest.driver.bytes(chain[3]), [IOERR]);
    assert_unharmed(guest);
}

#[test]
fn more_segments_than_offered_is_an_io_error() {
    for (segments, expected) in [(254, OK), (255, IOERR), (3000, IOERR)] {
        let mut guest = guest();
        let piece = guest.driver.writable(128);
        let mut chain = vec![guest.header(0, 0)];
        chain.extend(std::iter::repeat_n(piece, segments));
        // Whole sectors in any case.
        chain[1].len = u32::try_from(512 - (segments - 1) * 128 % 512).unwrap();
        chain[1].addr = guest.driver.alloc(512);
        let status = guest.status_byte();
        chain.push(status);
        let table = guest.driver.alloc(chain.len() * 16);
        guest.driver.queues[0].push_indirect(table, &chain);
        guest.driver.kick(0);
        guest.driver.queues[0].pop_used().unwrap();
        assert_eq!(
            guest.driver.bytes(status),
            [expected],
            "{segments} segments"
        );
        assert_unharmed(guest);
    }
}

#[test]
fn huge_buffers_over_each_other_are_an_io_error() {
    let mut guest = guest();
    let huge = Buffer {
        addr: 0x10_0000,
        len: 0x20_0000,
        writable: true,
    };
    let status = guest.status_byte();
    let mut chain = vec![guest.header(0, 0)];
    chain.extend(std::iter::repeat_n(huge, 200));
    chain.push(status);
    let table = guest.driver.alloc(chain.len() * 16);
    guest.driver.queues[0].push_indirect(table, &chain);
    guest.driver.kick(0);
    guest.driver.queues[0].pop_used().unwrap();
    assert_eq!(guest.driver.bytes(status), [IOERR]);
    assert_unharmed(guest);
}

#[test]
fn indirect_table_of_odd_size_or_place_is_dropped() {
    for (addr, len) in [
        (0x8_0000, 15),
        (0x8_0000, 0),
        (1 << 40, 32),
        (0x8_0000, u32::MAX - 15),
    ] {
        let mut guest = guest();
        let table = Buffer {
            addr,
            len,
            writable: false,
        };
        let queue = &mut guest.driver.queues[0];
        queue.write_descriptor(queue.desc, 0, table, 4, 0);
        queue.offer(0);
        guest.driver.kick(0);
        assert_eq!(
            guest.driver.queues[0].pop_used().unwrap().len,
            0,
            "{addr:#x} {len}"
        );
        assert_unharmed(guest);
    }
}

#[test]
fn indirect_table_in_an_indirect_table_is_dropped() {
    let mut guest = guest();
    let inner = Buffer {
        addr: 0x9_0000,
        len: 32,
        writable: false,
    };
    let queue = &mut guest.driver.queues[0];
    queue.write_descriptor(0x8_0000, 0, inner, 4, 0);
    queue.write_descriptor(
        queue.desc,
        0,
        Buffer {
            addr: 0x8_0000,
            len: 16,
            writable: false,
        },
        4,
        0,
    );
    queue.offer(0);
    guest.driver.kick(0);
    assert_eq!(guest.driver.queues[0].pop_used().unwrap().len, 0);
    assert_unharmed(guest);
}

#[test]
fn data_over_the_rings_harms_only_the_guest() {
    let mut guest = guest();
    // The disk's content lands on descriptors, rings and on the request itself.
    let data = Buffer {
        addr: 0x1000,
        len: 64 * 512,
        writable: true,
    };
    let chain = [guest.header(0, 0), data, guest.status_byte()];
    guest.driver.queues[0].push(&chain);
    guest.driver.kick(0);
    guest.driver.start(u64::MAX);
    assert_unharmed(guest);
}

#[test]
fn request_that_changes_under_the_device_is_done_as_it_was_parsed() {
    // The header is read once: reading on through the data area cannot change sector or type.
    let mut guest = guest();
    let header = guest.header(0, 1);
    let data = Buffer {
        addr: header.addr,
        len: 512,
        writable: true,
    };
    guest.driver.alloc(512);
    let status = guest.status_byte();
    guest.driver.transfer(0, &[header, data, status]).unwrap();
    assert_eq!(guest.driver.bytes(status), [OK]);
    let first: u8 = guest
        .driver
        .mem
        .read_obj(GuestAddress(header.addr))
        .unwrap();
    assert_eq!(first, 1);
    assert_unharmed(guest);
}
