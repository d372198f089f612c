//! Frames of the guest.

use super::super::NetDevice;
use super::peer::{HEADER, MEM, TX, driver, pattern};
use crate::virtio::testing::{Buffer, FakeDriver};

/// A header for a TCP segment of 1460 bytes, and 64 KiB behind it.
fn large() -> Vec<u8> {
    let header = [1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0, 0];
    [&header[..], &pattern(65_226)].concat()
}

#[test]
fn frame_in_pieces_arrives_whole_with_its_header() {
    let (mut driver, peer) = driver(u64::MAX);
    let whole = large();
    let pieces: Vec<Buffer> = whole
        .chunks(4096)
        .map(|piece| driver.readable(piece))
        .collect();
    let used = driver.transfer(TX, &pieces).unwrap();
    assert_eq!(used.len, 0);
    assert!(peer.take().unwrap() == whole, "bytes changed on the way");
    let indirect = driver.alloc(16 * pieces.len());
    driver.queues[1].push_indirect(indirect, &pieces);
    driver.kick(TX);
    assert!(driver.queues[1].pop_used().is_some());
    assert!(peer.take().unwrap() == whole, "bytes changed on the way");
}

#[test]
fn network_that_takes_no_more_stops_the_ring_and_goes_on_without_loss() {
    let (mut driver, peer) = driver(u64::MAX);
    let count = driver.queues[1].size;
    let mut frame = [&HEADER[..], &pattern(3000)].concat();
    for number in 0..count {
        frame[12..14].copy_from_slice(&number.to_le_bytes());
        let buffer = driver.readable(&frame);
        driver.queues[1].push(&[buffer]);
    }
    driver.kick(TX);
    let sent = driver.queues[1].used_index();
    assert!(sent < count, "the wire took everything: it is no test");
    driver.kick(TX);
    assert_eq!(driver.queues[1].used_index(), sent, "the ring goes on");
    let mut next = 0;
    while next < count {
        while let Some(frame) = peer.take() {
            assert_eq!(frame[12..14], next.to_le_bytes());
            next += 1;
        }
        driver.host();
    }
    assert_eq!(driver.queues[1].used_index(), count);
    assert_eq!(
        driver.slot.with_device(|device| device.metrics().tx_frames),
        u64::from(count)
    );
}

#[test]
fn empty_slot_gives_frames_back_and_counts_them() {
    let mut driver = FakeDriver::started(NetDevice::new().unwrap(), MEM, u64::MAX);
    let frame = driver.readable(&large()[..100]);
    assert!(driver.transfer(TX, &[frame]).is_some());
    assert_eq!(
        driver.slot.with_device(|device| device.metrics().dropped),
        1
    );
}

#[test]
fn frames_that_are_none_are_given_back_and_not_sent() {
    let (mut driver, peer) = driver(u64::MAX);
    let short = driver.readable(&[0; 25]);
    let good = driver.readable(&[0; 26]);
    let writable = driver.writable(100);
    let nowhere = Buffer {
        addr: 1 << 40,
        ..good
    };
    let endless = Buffer {
        len: u32::MAX,
        ..good
    };
    let lies = driver.readable(&[&[1, 1, 0, 0, 0, 0][..], &[0xff; 60]].concat());
    for chain in [
        &[short][..],
        &[good, writable],
        &[nowhere],
        &[endless],
        &[good, endless],
        &[lies],
    ] {
        assert!(driver.transfer(TX, chain).is_some(), "{chain:?}");
        assert_eq!(peer.take(), None, "{chain:?}");
    }
    assert!(driver.transfer(TX, &[good]).is_some());
    assert_eq!(peer.take().unwrap().len(), 26);
    assert_eq!(
        driver.slot.with_device(|device| device.metrics().refused),
        6
    );
}
