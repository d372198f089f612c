//! Networks that come and go.

use virtio_bindings::virtio_net::{
    VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_TSO4,
    VIRTIO_NET_F_GUEST_TSO6,
};
use vm_memory::{Bytes, GuestAddress};

use super::super::{MacAddress, NetDevice, NetState, Nic, Offloads, PlugError, Tap, create_tap};
use super::peer::{MAC, MEM, Peer, TX, driver, nic, pattern};
use crate::virtio::MmioHandler;
use crate::virtio::testing::FakeDriver;

/// Address, status and MTU as the driver reads them.
fn config(driver: &FakeDriver<NetDevice>) -> ([u8; 6], u16, u16) {
    let mut space = [0; 12];
    for (at, byte) in (0x100..).zip(&mut space) {
        driver.slot.read(at, std::slice::from_mut(byte));
    }
    let [a, b, c, d, e, f, status, high, _, _, m, n] = space;
    let status = u16::from_le_bytes([status, high]);
    ([a, b, c, d, e, f], status, u16::from_le_bytes([m, n]))
}

#[test]
fn empty_slot_reads_zero_until_a_network_is_plugged_in() {
    let driver = FakeDriver::started(NetDevice::new().unwrap(), MEM, u64::MAX);
    assert_eq!(config(&driver), ([0; 6], 0, 0));
    let (_peer, wire) = Peer::new();
    driver
        .slot
        .with_device(|device| device.plug(wire, nic()))
        .unwrap();
    driver.slot.notify_config_change();
    assert_eq!(driver.acknowledge(), 2);
    assert_eq!(config(&driver), (nic().mac.bytes(), 1, 1500));
    driver.slot.with_device(NetDevice::unplug).unwrap();
    assert_eq!(config(&driver), ([0; 6], 0, 0));
    assert!(driver.slot.with_device(NetDevice::unplug).is_err());
}

#[test]
fn change_before_the_driver_listens_is_told_when_it_does() {
    let mut driver = FakeDriver::new(NetDevice::new().unwrap(), MEM);
    driver.slot.notify_config_change();
    assert_eq!(driver.line.pulses(), 0);
    driver.negotiate(u64::MAX);
    driver.slot.notify_config_change();
    driver.set_up_queues(u16::MAX);
    assert_eq!(driver.line.pulses(), 0);
    driver.write(0x70, 15);
    assert_eq!((driver.line.pulses(), driver.acknowledge()), (1, 2));
    driver.start(u64::MAX);
    assert_eq!(driver.line.pulses(), 1, "a reset forgets it");
}

#[test]
fn slot_takes_one_network_with_an_mtu() {
    let mut device = NetDevice::new().unwrap();
    let odd = Nic { mtu: 67, ..nic() };
    let refused = device.plug(Peer::new().1, odd).unwrap_err();
    assert!(matches!(refused, PlugError::Mtu(67)));
    device.plug(Peer::new().1, nic()).unwrap();
    let refused = device.plug(Peer::new().1, nic()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("the slot has the network of {MAC}")
    );
}

#[test]
fn offloads_of_the_network_are_what_was_negotiated() {
    let bit = |bit: u32| 1_u64 << bit;
    let (csum, tso4) = (bit(VIRTIO_NET_F_GUEST_CSUM), bit(VIRTIO_NET_F_GUEST_TSO4));
    let ecn = bit(VIRTIO_NET_F_GUEST_ECN);
    let version = bit(32);
    let some = |checksum, tso4, ecn| Offloads {
        checksum,
        tso4,
        tso6: false,
        ecn,
    };
    for (wanted, expected) in [
        (version, some(false, false, false)),
        (version | csum, some(true, false, false)),
        (version | csum | ecn, some(true, false, false)),
        (version | csum | tso4 | ecn, some(true, true, true)),
        (
            version | tso4 | bit(VIRTIO_NET_F_GUEST_TSO6),
            some(false, false, false),
        ),
    ] {
        let (mut driver, peer) = driver(wanted);
        assert_eq!(
            peer.asked.lock().unwrap().last(),
            Some(&expected),
            "{wanted:#x}"
        );
        driver.start(u64::MAX);
        assert_eq!(peer.asked.lock().unwrap().last(), Some(&Offloads::ALL));
        driver.write(0x70, 0);
        assert_eq!(
            peer.asked.lock().unwrap().last(),
            Some(&Offloads::default())
        );
    }
}

#[test]
fn network_that_is_gone_takes_its_link_down_and_is_not_looked_at_again() {
    let (mut driver, peer) = driver(u64::MAX);
    drop(peer);
    driver.host();
    assert_eq!(config(&driver).1, 0);
    let waits = driver.slot.with_device(|device| {
        use crate::virtio::VirtioDevice;
        let fd = device.host_fd().unwrap();
        let mut polled = [rustix::event::PollFd::from_borrowed_fd(
            fd,
            rustix::event::PollFlags::IN,
        )];
        let now = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        rustix::event::poll(&mut polled, Some(&now)).unwrap()
    });
    assert_eq!(waits, 0, "the worker would turn for ever");
    let frame = driver.readable(&[&[0; 12][..], &pattern(60)].concat());
    assert!(driver.transfer(TX, &[frame]).is_some());
    assert_eq!(
        driver.slot.with_device(|device| device.metrics().dropped),
        1
    );
}

#[test]
fn state_names_the_network_and_a_slot_without_it_takes_it_over() {
    let (driver, _peer) = driver(u64::MAX);
    let state = driver.slot.state();
    let expected = NetState {
        mac: nic().mac.bytes(),
        mtu: 1500,
    };
    assert_eq!(state.device, expected);
    let json = serde_json::to_string(&state).unwrap();
    let other = FakeDriver::new(NetDevice::new().unwrap(), MEM);
    let mut rings = vec![0; 0x30000];
    driver.mem.read_slice(&mut rings, GuestAddress(0)).unwrap();
    other.mem.write_slice(&rings, GuestAddress(0)).unwrap();
    other
        .slot
        .restore(serde_json::from_str(&json).unwrap())
        .unwrap();
    assert_eq!(config(&other), ([0; 6], 0, 0));
}

#[test]
fn addresses_are_six_bytes_and_no_groups() {
    assert_eq!(MAC.parse::<MacAddress>().unwrap().to_string(), MAC);
    for bad in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:00:01",
        "01:00:00:00:00:01",
        "00:00:00:00:00:00",
        "+2:00:00:00:00:01",
        "02-00-00-00-00-01",
    ] {
        assert!(bad.parse::<MacAddress>().is_err(), "{bad}");
    }
}

#[test]
fn descriptor_that_is_no_tap_and_names_that_are_none_are_refused() {
    let file = tempfile::tempfile().unwrap();
    assert!(matches!(Tap::new(file.into()), Err(PlugError::NoTap(_))));
    let null = std::fs::File::open("/dev/null").unwrap();
    assert!(matches!(Tap::new(null.into()), Err(PlugError::NoTap(_))));
    for name in ["", "a name of sixteen", "a\0b", "tap%d"] {
        assert!(create_tap(name).is_err(), "{name:?}");
    }
}

/// Needs the right to make a tap; says so where it is not there.
#[test]
fn tap_is_taken_over_with_its_offloads() {
    let made = std::thread::spawn(|| {
        #[expect(deprecated, reason = "deprecated for UnshareFlags::FILES only")]
        rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNET)?;
        Ok::<_, std::io::Error>(create_tap("husk0"))
    });
    match made.join().unwrap() {
        Ok(Ok(fd)) => {
            let mut device = NetDevice::new().unwrap();
            device.plug(Box::new(Tap::new(fd).unwrap()), nic()).unwrap();
        }
        Ok(Err(error)) | Err(error) => eprintln!("left out: no tap can be made here: {error}"),
    }
}
