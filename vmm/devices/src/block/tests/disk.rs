//! Requests that are done: what reaches the file, and what comes back.

use std::os::unix::fs::MetadataExt;

use super::guest::{
    Answer, DISCARD, FLUSH, GET_ID, Guest, IOERR, OK, OUT, UNSUPP, WRITE_ZEROES, range,
};
use crate::block::BlockClass::{ReadOnly, Writable};

const UNMAP: u32 = 1;

#[test]
fn read_returns_the_sectors() {
    for class in [Writable, ReadOnly] {
        let mut guest = Guest::new(class, 8);
        let answer = guest.read(3, 2);
        assert_eq!(answer.status, OK);
        assert_eq!(answer.used_len, 1025);
        assert_eq!(answer.data, [[3; 512], [4; 512]].concat());
    }
}

#[test]
fn write_reaches_the_file_at_its_place() {
    let mut guest = Guest::new(Writable, 8);
    let answer = guest.request(OUT, 7, &[0xab; 512], 0);
    assert_eq!((answer.status, answer.used_len), (OK, 1));
    assert_eq!(
        guest.host_bytes(6 * 512, 1024),
        [[6; 512], [0xab; 512]].concat()
    );
}

#[test]
fn flush_succeeds_after_a_write() {
    let mut guest = Guest::new(Writable, 8);
    assert_eq!(guest.request(OUT, 0, &[1; 512], 0).status, OK);
    assert_eq!(guest.request(FLUSH, 0, &[], 0).status, OK);
    assert_eq!(guest.driver.slot.with_device(|d| d.metrics()).flushes, 1);
}

#[test]
fn read_in_many_pieces_fills_each_of_them() {
    let mut guest = Guest::new(ReadOnly, 64);
    let mut chain = vec![guest.header(0, 0)];
    let pieces: Vec<_> = (0..64).map(|_| guest.driver.writable(512)).collect();
    chain.extend(&pieces);
    let status = guest.status_byte();
    chain.push(status);
    let table = guest.driver.alloc(chain.len() * 16);
    guest.driver.queues[0].push_indirect(table, &chain);
    guest.driver.kick(0);
    assert_eq!(guest.driver.queues[0].pop_used().unwrap().len, 64 * 512 + 1);
    assert_eq!(guest.driver.bytes(status), [OK]);
    for (number, piece) in (0..).zip(pieces) {
        assert_eq!(guest.driver.bytes(piece), [number; 512]);
    }
}

#[test]
fn layout_is_the_drivers_choice() {
    let mut guest = Guest::new(Writable, 8);
    // Header in two pieces, the second with data in it; data and status byte in one.
    let mut first = 1_u32.to_le_bytes().to_vec();
    first.extend([0; 4]);
    let mut second = 2_u64.to_le_bytes().to_vec();
    second.extend([9; 500]);
    let chain = [
        guest.driver.readable(&first),
        guest.driver.readable(&second),
        guest.driver.readable(&[8; 12]),
        guest.status_byte(),
    ];
    guest.driver.transfer(0, &chain).unwrap();
    assert_eq!(guest.driver.bytes(chain[3]), [OK]);
    assert_eq!(
        guest.host_bytes(2 * 512, 512),
        [vec![9; 500], vec![8; 12]].concat()
    );

    let read = [
        guest.header(0, 2),
        guest.driver.writable(100),
        guest.driver.writable(413),
    ];
    assert_eq!(guest.driver.transfer(0, &read).unwrap().len, 513);
    assert_eq!(guest.driver.bytes(read[2])[411..], [8, OK]);
}

#[test]
fn id_is_the_serial() {
    let mut guest = Guest::new(ReadOnly, 8);
    let answer = guest.request(GET_ID, 0, &[], 20);
    assert_eq!((answer.status, answer.used_len), (OK, 21));
    assert_eq!(answer.data, b"disk-0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
}

#[test]
fn empty_slot_has_no_sectors_and_an_empty_id() {
    let mut guest = Guest::new(Writable, 0);
    assert_eq!(guest.capacity(), 0);
    assert_eq!(guest.request(GET_ID, 0, &[], 20).data, [0; 20]);
    assert_eq!(guest.read(0, 1).status, IOERR);
    assert_eq!(guest.request(FLUSH, 0, &[], 0).status, IOERR);
}

#[test]
fn read_only_slot_refuses_everything_that_writes() {
    let mut guest = Guest::new(ReadOnly, 8);
    assert_ne!(guest.driver.offered() & (1 << 5), 0, "VIRTIO_BLK_F_RO");
    assert_eq!(guest.request(OUT, 0, &[0xff; 512], 0).status, IOERR);
    for kind in [FLUSH, DISCARD, WRITE_ZEROES] {
        assert_eq!(
            guest.request(kind, 0, &range(0, 1, 0), 0).status,
            UNSUPP,
            "type {kind}"
        );
    }
    assert_eq!(guest.host_bytes(0, 512), [0; 512]);
    assert_eq!(guest.driver.slot.with_device(|d| d.metrics()).refused, 4);
}

#[test]
fn discard_frees_the_hosts_blocks() {
    let mut guest = Guest::new(Writable, 256);
    let before = guest.file.metadata().unwrap().blocks();
    let ranges = [range(0, 64, 0), range(128, 64, 0)].concat();
    assert_eq!(guest.request(DISCARD, 0, &ranges, 0).status, OK);
    assert!(guest.file.metadata().unwrap().blocks() < before);
    assert_eq!(guest.file.metadata().unwrap().len(), 256 * 512);
    assert_eq!(guest.host_bytes(64 * 512, 512), [64; 512]);
}

#[test]
fn write_zeroes_zeroes_exactly_its_range() {
    for flags in [0, UNMAP] {
        let mut guest = Guest::new(Writable, 64);
        let answer = guest.request(WRITE_ZEROES, 0, &range(3, 20, flags), 0);
        assert_eq!(answer.status, OK);
        assert_eq!(guest.host_bytes(2 * 512, 512), [2; 512]);
        assert_eq!(guest.host_bytes(3 * 512, 20 * 512), [0; 20 * 512]);
        assert_eq!(guest.host_bytes(23 * 512, 512), [23; 512]);
    }
}

#[test]
fn write_zeroes_without_unmap_keeps_the_hosts_blocks() {
    let mut guest = Guest::new(Writable, 256);
    let before = guest.file.metadata().unwrap().blocks();
    assert_eq!(
        guest.request(WRITE_ZEROES, 0, &range(0, 256, 0), 0).status,
        OK
    );
    assert!(guest.file.metadata().unwrap().blocks() >= before);
}

#[test]
fn flag_that_is_not_defined_is_unsupported() {
    let mut guest = Guest::new(Writable, 8);
    assert_eq!(guest.request(DISCARD, 0, &range(0, 1, 1), 0).status, UNSUPP);
    assert_eq!(
        guest.request(WRITE_ZEROES, 0, &range(0, 1, 2), 0).status,
        UNSUPP
    );
    assert_eq!(guest.host_bytes(0, 4096)[512..1024], [1; 512]);
}

#[test]
fn disk_that_shrank_under_us_is_an_io_error() {
    let mut guest = Guest::new(Writable, 8);
    guest.file.set_len(1024).unwrap();
    assert_eq!(guest.read(0, 2).status, OK);
    assert_eq!(
        guest.read(1, 2),
        Answer {
            status: IOERR,
            used_len: 0,
            data: [[1; 512], [0; 512]].concat()
        }
    );
    assert_eq!(
        guest.driver.slot.with_device(|d| d.metrics()).host_errors,
        1
    );
}

#[test]
fn counters_count_requests_and_bytes() {
    let mut guest = Guest::new(Writable, 8);
    guest.read(0, 2);
    guest.read(0, 9);
    guest.request(OUT, 0, &[1; 512], 0);
    let metrics = guest.driver.slot.with_device(|d| d.metrics());
    assert_eq!((metrics.reads, metrics.read_bytes), (1, 1024));
    assert_eq!((metrics.writes, metrics.written_bytes), (1, 512));
    assert_eq!((metrics.refused, metrics.host_errors), (1, 0));
}
