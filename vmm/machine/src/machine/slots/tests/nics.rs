//! Networks that come and go beside a slot that is busy.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::spawn;
use std::time::Duration;

use husk_devices::net::{NetDevice, create_tap};
use husk_devices::virtio::testing::FakeDriver;
use rustix::thread;

use super::{NewNic, NicSlot, Nics};
use crate::machine::error::NicError;

const MAC: &str = "02:00:00:00:00:07";
const OTHER: &str = "02:00:00:00:00:08";

fn slots(count: usize) -> (Nics, Vec<NicSlot>) {
    let mut nics = Nics::default();
    let new = || FakeDriver::new(NetDevice::new().unwrap(), 1 << 20).slot;
    let slots: Vec<_> = (0..count).map(|_| new()).collect();
    for slot in &slots {
        nics.push(Arc::clone(slot));
    }
    (nics, slots)
}

fn nic(tap: OwnedFd, mac: &str) -> NewNic<'_> {
    NewNic {
        tap,
        mac,
        mtu: 1500,
    }
}

#[test]
fn network_is_asked_for_while_another_slot_has_its_turn() {
    let (mut nics, slots) = slots(2);
    let (done, is_done) = channel();
    slots[0].with_device(|_busy| {
        spawn(move || {
            let null = File::open("/dev/null").unwrap();
            done.send(nics.attach(1, nic(null.into(), MAC))).unwrap();
        });
        let refused = is_done.recv_timeout(Duration::from_secs(120)).unwrap();
        assert!(matches!(refused, Err(NicError::Plug(_))), "{refused:?}");
    });
}

/// Needs the right to make a tap; says so where it is not there.
#[test]
fn address_is_taken_until_its_network_is_detached() {
    let made = spawn(|| {
        #[expect(deprecated, reason = "deprecated for UnshareFlags::FILES only")]
        thread::unshare(thread::UnshareFlags::NEWNET)?;
        (0..3).map(|n| create_tap(&format!("husk{n}"))).collect()
    });
    let taps: Vec<OwnedFd> = match made.join().unwrap() {
        Ok(taps) => taps,
        Err(error) => {
            let error: std::io::Error = error;
            eprintln!("left out: no tap can be made here: {error}");
            return;
        }
    };
    let (mut nics, _slots) = slots(2);
    let [first, second, third] = <[OwnedFd; 3]>::try_from(taps).unwrap();
    nics.attach(1, nic(first, MAC)).unwrap();
    let taken = nics.attach(0, nic(second, MAC)).unwrap_err();
    assert_eq!(taken.to_string(), format!("mac {MAC} is another network's"));
    let figures = nics.figures();
    assert_eq!((figures.len(), figures[0].slot), (1, 1));
    assert_eq!(figures[0].mac, MAC);
    nics.detach(1).unwrap();
    assert!(nics.detach(1).is_err() && nics.figures().is_empty());
    nics.attach(0, nic(third, MAC)).unwrap();
    let null = File::open("/dev/null").unwrap();
    assert!(nics.attach(1, nic(null.into(), OTHER)).is_err());
    assert_eq!(nics.figures().len(), 1);
}
