//! Any driver at all: nothing panics, nothing turns for ever, every chain comes back at most once.

use proptest::prelude::{Strategy, any, prop};
use proptest::{prop_assert, proptest};

use super::super::NetDevice;
use super::peer::{MEM, RX, TX, driver};
use crate::virtio::testing::{Buffer, FakeDriver};

#[derive(Clone, Debug)]
enum Step {
    Offer { queue: u16, chain: Vec<Buffer> },
    Head { queue: u16, head: u16 },
    Index { queue: u16, index: u16 },
    Frame(Vec<u8>),
    Host,
}

fn buffer() -> impl Strategy<Value = Buffer> {
    let small = 0_u64..u64::try_from(2 * MEM).unwrap();
    let addr = proptest::prop_oneof![9 => small, 1 => any::<u64>()];
    let len = proptest::prop_oneof![9 => 0_u32..3000, 1 => any::<u32>()];
    (addr, len, any::<bool>()).prop_map(|(addr, len, writable)| Buffer {
        addr,
        len,
        writable,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let queue = 0_u16..2;
    let chain = prop::collection::vec(buffer(), 1..6);
    proptest::prop_oneof![
        8 => (queue.clone(), chain).prop_map(|(queue, chain)| Step::Offer { queue, chain }),
        1 => (queue.clone(), any::<u16>()).prop_map(|(queue, head)| Step::Head { queue, head }),
        1 => (queue, any::<u16>()).prop_map(|(queue, index)| Step::Index { queue, index }),
        4 => prop::collection::vec(any::<u8>(), 1..4000).prop_map(Step::Frame),
        4 => proptest::prelude::Just(Step::Host),
    ]
}

fn works_after_a_reset(driver: &mut FakeDriver<NetDevice>, peer: &super::peer::Peer) {
    while peer.take().is_some() {}
    driver.start(u64::MAX);
    driver.recycle();
    let frame = driver.readable(&[7; 100]);
    let mut zeroed = driver.bytes(frame);
    zeroed[..12].fill(0);
    let frame = driver.readable(&zeroed);
    assert!(driver.transfer(TX, &[frame]).is_some());
    assert_eq!(peer.take(), Some(zeroed));
}

proptest! {
    #[test]
    fn any_driver_is_survived_and_a_reset_brings_the_device_back(
        features in any::<u64>(), steps in prop::collection::vec(step(), 1..40),
    ) {
        let (mut driver, peer) = driver(features | 1 << 32);
        for step in steps {
            match step {
                Step::Offer { queue, chain } => {
                    driver.queues[usize::from(queue)].push(&chain);
                    driver.kick(queue);
                }
                Step::Head { queue, head } => {
                    driver.queues[usize::from(queue)].offer(head);
                    driver.kick(queue);
                }
                Step::Index { queue, index } => {
                    driver.queues[usize::from(queue)].set_avail_index(index);
                    driver.kick(queue);
                }
                Step::Frame(frame) => {
                    // A wire that is full loses it, as any wire.
                    let _ = peer.socket.send(&frame);
                }
                Step::Host => driver.host(),
            }
        }
        for queue in [RX, TX] {
            prop_assert!(driver.queues[usize::from(queue)].used_index() < 2048);
        }
        works_after_a_reset(&mut driver, &peer);
    }
}
