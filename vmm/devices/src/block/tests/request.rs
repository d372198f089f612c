//! The parser: every request that is out of bounds or out of shape is refused, with nothing done.

use super::guest::{DISCARD, GET_ID, Guest, IN, IOERR, OK, OUT, UNSUPP, WRITE_ZEROES, range};
use crate::block::BlockClass::{ReadOnly, Writable};

#[test]
fn read_past_end_returns_io_error() {
    let mut guest = Guest::new(ReadOnly, 8);
    for (sector, sectors) in [
        (8, 1),
        (7, 2),
        (0, 9),
        (u64::MAX, 1),
        (u64::MAX - 1, 3),
        (1 << 55, 1),
    ] {
        let answer = guest.read(sector, sectors);
        assert_eq!(answer.status, IOERR, "{sectors} sectors at {sector}");
        assert_eq!(answer.used_len, 0);
        assert!(answer.data.iter().all(|byte| *byte == 0));
    }
    assert_eq!(guest.read(7, 1).status, OK);
}

#[test]
fn write_past_end_leaves_the_disk_as_it_is() {
    let mut guest = Guest::new(Writable, 8);
    assert_eq!(guest.request(OUT, 7, &[0xff; 1024], 0).status, IOERR);
    assert_eq!(guest.request(OUT, u64::MAX, &[0xff; 512], 0).status, IOERR);
    assert_eq!(guest.file.metadata().unwrap().len(), 8 * 512);
    assert_eq!(guest.host_bytes(7 * 512, 512), [7; 512]);
}

#[test]
fn data_that_is_not_whole_sectors_returns_io_error() {
    let mut guest = Guest::new(Writable, 8);
    assert_eq!(guest.request(IN, 0, &[], 511).status, IOERR);
    assert_eq!(guest.request(OUT, 0, &[0xff; 513], 0).status, IOERR);
    assert_eq!(guest.host_bytes(0, 512), [0; 512]);
}

#[test]
fn unknown_type_returns_unsupported() {
    let mut guest = Guest::new(Writable, 8);
    // SCSI, secure erase, zones, and none at all.
    for kind in [2, 3, 5, 14, 15, 16, 0x8000_0000, u32::MAX] {
        assert_eq!(guest.request(kind, 0, &[], 0).status, UNSUPP, "type {kind}");
    }
}

#[test]
fn id_in_a_room_of_another_size_returns_io_error() {
    let mut guest = Guest::new(ReadOnly, 8);
    for room in [0, 1, 19, 21, 512] {
        assert_eq!(guest.request(GET_ID, 0, &[], room).status, IOERR, "{room}");
    }
}

#[test]
fn ranges_out_of_bounds_return_io_error() {
    let mut guest = Guest::new(Writable, 8);
    let bad = [
        range(8, 1, 0),
        range(0, 9, 0),
        range(u64::MAX, 1, 0),
        range(0, u32::MAX, 0),
        [range(0, 1, 0), range(8, 1, 0)].concat(),
        range(0, 1, 0)[..15].to_vec(),
        Vec::new(),
        range(0, 1, 0).repeat(17),
    ];
    for kind in [DISCARD, WRITE_ZEROES] {
        for ranges in &bad {
            assert_eq!(
                guest.request(kind, 0, ranges, 0).status,
                IOERR,
                "{kind} {ranges:?}"
            );
        }
    }
    assert_eq!(
        guest
            .request(WRITE_ZEROES, 0, &range(0, 1, 0).repeat(2), 0)
            .status,
        IOERR
    );
    assert_eq!(guest.host_bytes(512, 512), [1; 512]);
}

#[test]
fn empty_range_is_done_at_once() {
    let mut guest = Guest::new(Writable, 8);
    assert_eq!(guest.request(DISCARD, 0, &range(8, 0, 0), 0).status, OK);
    assert_eq!(
        guest.request(WRITE_ZEROES, 0, &range(0, 0, 1), 0).status,
        OK
    );
}

#[test]
fn header_that_is_too_short_returns_io_error() {
    let mut guest = Guest::new(ReadOnly, 8);
    for header in [&[][..], &[0; 15]] {
        let chain = [guest.driver.readable(header), guest.status_byte()];
        guest.driver.transfer(0, &chain).unwrap();
        assert_eq!(guest.driver.bytes(chain[1]), [IOERR]);
    }
}
