//! Frames to the guest.

use virtio_bindings::virtio_net::VIRTIO_NET_F_MRG_RXBUF;
use virtio_bindings::virtio_ring::VIRTIO_RING_F_EVENT_IDX;

use super::peer::{HEADER, RX, driver, pattern};
use crate::virtio::testing::Buffer;

#[test]
fn frame_goes_into_one_buffer_behind_its_header() {
    let (mut driver, peer) = driver(u64::MAX);
    let buffer = driver.writable(2048);
    assert_eq!(driver.transfer(RX, &[buffer]), None);
    peer.send(&pattern(1000));
    driver.host();
    let used = driver.queues[0].pop_used().unwrap();
    assert_eq!(used.len, 1012);
    let bytes = driver.bytes(buffer);
    assert_eq!(bytes[..10], HEADER[..10]);
    assert_eq!(bytes[10..12], [1, 0]);
    assert_eq!(bytes[12..1012], pattern(1000));
    assert_eq!(driver.line.pulses(), 1);
}

#[test]
fn long_frame_goes_into_as_many_buffers_as_it_needs() {
    let (mut driver, peer) = driver(u64::MAX);
    let buffers: Vec<_> = (0..60).map(|_| driver.writable(1536)).collect();
    for buffer in &buffers {
        driver.queues[0].push(&[*buffer]);
    }
    driver.kick(RX);
    let frame = pattern(65_000);
    peer.send(&frame);
    driver.host();
    let mut lens = Vec::new();
    while let Some(used) = driver.queues[0].pop_used() {
        lens.push(used.len);
    }
    assert_eq!(lens.len(), 65_012_usize.div_ceil(1536));
    assert_eq!(lens.iter().sum::<u32>(), 65_012);
    let mut bytes: Vec<u8> = Vec::new();
    for (buffer, len) in buffers.iter().zip(&lens) {
        bytes.extend(&driver.bytes(*buffer)[..usize::try_from(*len).unwrap()]);
    }
    assert_eq!(usize::from(bytes[10]), lens.len());
    assert!(bytes[12..] == frame, "bytes changed on the way");
}

#[test]
fn frame_waits_for_buffers_and_the_network_is_not_read_meanwhile() {
    let (mut driver, peer) = driver(u64::MAX);
    let first = driver.writable(1000);
    driver.queues[0].push(&[first]);
    driver.kick(RX);
    for _ in 0..3 {
        peer.send(&pattern(1500));
    }
    driver.host();
    assert_eq!(driver.queues[0].pop_used(), None, "half a frame was given");
    // One frame is in the device, the others are where they were.
    driver.host();
    driver.host();
    assert_eq!(
        driver.queues[0].avail_event(),
        1,
        "the next kick is not asked for"
    );
    let more: Vec<_> = (0..5).map(|_| driver.writable(1000)).collect();
    for buffer in &more {
        driver.queues[0].push(&[*buffer]);
    }
    driver.kick(RX);
    driver.host();
    let lens: Vec<_> = std::iter::from_fn(|| driver.queues[0].pop_used()).collect();
    let lens: Vec<_> = lens.iter().map(|used| used.len).collect();
    assert_eq!(lens, [1000, 512, 1000, 512, 1000, 512]);
}

#[test]
fn without_merging_a_frame_that_fits_no_buffer_is_dropped() {
    let (mut driver, peer) = driver(!(1 << VIRTIO_NET_F_MRG_RXBUF));
    let small = driver.writable(200);
    driver.transfer(RX, &[small]);
    peer.send(&pattern(500));
    peer.send(&pattern(100));
    driver.host();
    assert_eq!(driver.queues[0].pop_used().unwrap().len, 112);
    assert_eq!(driver.bytes(small)[10..12], [1, 0]);
    let metrics = driver.slot.with_device(|device| device.metrics());
    assert_eq!((metrics.rx_frames, metrics.dropped), (1, 1));
}

#[test]
fn ring_full_of_tiny_buffers_drops_what_never_fits() {
    let (mut driver, peer) = driver(u64::MAX);
    let tiny = driver.writable(16);
    for _ in 0..driver.queues[0].size {
        driver.queues[0].push(&[tiny]);
    }
    driver.kick(RX);
    peer.send(&pattern(9000));
    peer.send(&pattern(14));
    driver.host();
    let lens: Vec<_> = std::iter::from_fn(|| driver.queues[0].pop_used()).collect();
    assert_eq!(lens.iter().map(|used| used.len).sum::<u32>(), 26);
    assert_eq!(lens.len(), 2);
}

#[test]
fn interrupt_comes_only_when_the_driver_wants_it() {
    let (mut driver, peer) = driver(u64::MAX);
    assert!(driver.offered() & (1 << VIRTIO_RING_F_EVENT_IDX) != 0);
    for _ in 0..8 {
        let buffer = driver.writable(2048);
        driver.queues[0].push(&[buffer]);
    }
    driver.queues[0].set_used_event(3);
    driver.kick(RX);
    for (frame, pulses) in [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1)] {
        peer.send(&pattern(60));
        driver.host();
        assert_eq!(driver.line.pulses(), pulses, "frame {frame}");
    }
}

#[test]
fn buffer_that_is_no_memory_holds_nothing_and_comes_back() {
    let (mut driver, peer) = driver(u64::MAX);
    let nowhere = Buffer {
        addr: u64::MAX - 100,
        len: 2048,
        writable: true,
    };
    let good = driver.writable(2048);
    driver.queues[0].push(&[nowhere]);
    driver.queues[0].push(&[good]);
    driver.kick(RX);
    peer.send(&pattern(60));
    driver.host();
    assert_eq!(driver.queues[0].pop_used().unwrap().len, 0);
    assert_eq!(driver.queues[0].pop_used().unwrap().len, 72);
    assert!(!driver.needs_reset());
}
