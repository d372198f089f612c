//! Requests that are longer than a turn: others come in between, and nothing is lost or done twice.

use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::guest::{Guest, IN, IOERR, OK, OUT, WRITE_ZEROES, range};
use crate::block::BlockClass::Writable;
use crate::block::request::Range;
use crate::virtio::testing::Buffer;
use crate::virtio::{MmioHandler, Progress};

const MIB: usize = 1 << 20;
/// Sectors of a disk of 16 MiB.
const SECTORS: u64 = 32 << 10;

/// Offer a request for ten times the same MiB of memory, without a kick; where its status comes.
fn offer(guest: &mut Guest, kind: u32, sector: u64, data: Buffer) -> Buffer {
    let mut chain = vec![guest.header(kind, sector)];
    chain.extend([data; 10]);
    let status = guest.status_byte();
    chain.push(status);
    let table = guest.driver.alloc(chain.len() * 16);
    guest.driver.queues[0].push_indirect(table, &chain);
    status
}

/// Turns until nothing is left.
fn turns(guest: &Guest) -> usize {
    let slot = &guest.driver.slot;
    let more = std::iter::repeat_with(|| slot.process_queue(0));
    1 + more.take_while(|turn| *turn == Progress::More).count()
}

#[test]
fn long_write_is_done_in_turns_and_answered_once() {
    let mut guest = Guest::new(Writable, SECTORS);
    let pattern: Vec<u8> = (0..MIB).map(|at| (at % 251).to_le_bytes()[0]).collect();
    let data = guest.driver.readable(&pattern);
    let status = offer(&mut guest, OUT, 1, data);
    assert_eq!(guest.driver.slot.process_queue(0), Progress::More);
    assert!(guest.driver.queues[0].pop_used().is_none());
    assert_eq!(guest.driver.bytes(status), [0xee]);
    // The lock is free: the owner can look at the slot now, and a second request waits for its turn.
    assert_eq!(
        guest.driver.slot.with_device(|d| d.metrics()).written_bytes,
        4 << 20
    );
    let second = offer(&mut guest, OUT, 1, data);
    assert_eq!(turns(&guest), 4, "20 MiB, of which 4 are done");
    for status in [status, second] {
        assert_eq!(guest.driver.queues[0].pop_used().unwrap().len, 1);
        assert_eq!(guest.driver.bytes(status), [OK]);
    }
    assert!(guest.driver.queues[0].pop_used().is_none());
    assert!(guest.host_bytes(512, 10 * MIB) == pattern.repeat(10));
    assert_eq!(guest.host_bytes(0, 512), [0; 512]);
    let metrics = guest.driver.slot.with_device(|d| d.metrics());
    assert_eq!((metrics.writes, metrics.written_bytes), (2, 20 << 20));
}

#[test]
fn long_read_fills_every_piece() {
    let mut guest = Guest::new(Writable, SECTORS);
    let last = vec![0x5a; MIB];
    let at = 9 * u64::try_from(MIB).unwrap();
    guest.file.write_all_at(&last, at).unwrap();
    let data = guest.driver.writable(MIB);
    let status = offer(&mut guest, IN, 0, data);
    assert_eq!(turns(&guest), 3);
    let used = guest.driver.queues[0].pop_used().unwrap().len;
    assert_eq!(usize::try_from(used).unwrap(), 10 * MIB + 1);
    assert_eq!(guest.driver.bytes(status), [OK]);
    assert!(guest.driver.bytes(data) == last);
}

#[test]
fn long_range_is_zeroed_in_turns_and_its_neighbours_stay() {
    for unmap in [0, 1] {
        let mut guest = Guest::new(Writable, SECTORS);
        let ones = vec![0xff; 16 * MIB];
        guest.file.write_all_at(&ones, 0).unwrap();
        let sectors = 20_001;
        let header = guest.header(WRITE_ZEROES, 3);
        let data = guest.driver.readable(&range(3, sectors, unmap));
        let status = guest.status_byte();
        guest.driver.queues[0].push(&[header, data, status]);
        assert_eq!(turns(&guest), 3);
        assert_eq!(guest.driver.bytes(status), [OK]);
        let len = 512 * usize::try_from(sectors).unwrap();
        assert!(guest.host_bytes(3 * 512, len) == vec![0; len]);
        assert_eq!(guest.host_bytes(0, 3 * 512), [0xff; 3 * 512]);
        let after = 3 * 512 + u64::try_from(len).unwrap();
        assert_eq!(guest.host_bytes(after, 512), [0xff; 512]);
    }
}

/// What was begun is not taken for a part of what comes after it.
#[test]
fn request_after_a_reset_or_without_its_disk_begins_anew() {
    let mut guest = Guest::new(Writable, SECTORS);
    let data = guest.driver.readable(&vec![7; MIB]);
    offer(&mut guest, OUT, 0, data);
    assert_eq!(guest.driver.slot.process_queue(0), Progress::More);
    guest.driver.start(u64::MAX);
    let status = offer(&mut guest, OUT, 0, data);
    assert_eq!(turns(&guest), 3);
    assert_eq!(guest.driver.bytes(status), [OK]);
    let status = offer(&mut guest, OUT, 0, data);
    assert_eq!(guest.driver.slot.process_queue(0), Progress::More);
    let detached = guest.driver.slot.with_device(|device| device.detach());
    detached.unwrap();
    assert_eq!(turns(&guest), 1);
    assert_eq!(guest.driver.bytes(status), [IOERR]);
}

proptest! {
    #[test]
    fn parts_of_ranges_are_the_ranges(
        ranges in prop::collection::vec((0..1_000_000_u64, 1..100_000_u64), 0..5),
        len in 1..50_000_u64,
    ) {
        let ranges: Vec<Range> = ranges
            .into_iter()
            .map(|(offset, len)| Range { offset: offset * 512, len: len * 512 })
            .collect();
        let total = Range::total(&ranges);
        let (mut done, mut parts) = (0, Vec::new());
        while done < total {
            let part = Range::part(&ranges, done, len);
            let moved = Range::total(&part);
            prop_assert!((1..=len).contains(&moved));
            done += moved;
            parts.extend(part);
        }
        prop_assert_eq!(done, total);
        let mut rest = parts.into_iter();
        for range in ranges {
            let mut at = range.offset;
            while at < range.offset + range.len {
                let part = rest.next().unwrap();
                prop_assert_eq!(part.offset, at);
                at += part.len;
            }
        }
        prop_assert!(rest.next().is_none());
    }
}
