//! Random drivers: whatever they offer, the device neither panics nor touches what it must not.

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::guest::{Guest, IN, OUT, range};
use crate::block::BlockClass::{ReadOnly, Writable};
use crate::virtio::testing::Buffer;

const SECTORS: u64 = 64;

/// A descriptor as a confused or hostile driver writes it.
#[derive(Clone, Debug)]
struct RawDescriptor {
    buffer: Buffer,
    flags: u16,
    next: u16,
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0x2_0000_u64..0x4_0000,
        1 => 0_u64..0x1_0000,
        1 => 0x3f_f000_u64..0x40_1000,
        1 => any::<u64>(),
    ]
}

fn length() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => prop::sample::select(vec![0, 1, 16, 17, 20, 512, 513, 1024, 4096]),
        1 => any::<u32>(),
    ]
}

fn descriptor() -> impl Strategy<Value = RawDescriptor> {
    (address(), length(), 0_u16..8, 0_u16..18).prop_map(|(addr, len, flags, next)| RawDescriptor {
        buffer: Buffer {
            addr,
            len,
            writable: false,
        },
        flags,
        next,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn random_descriptors_never_panic_and_never_write_a_read_only_disk(
        table in prop::collection::vec(descriptor(), 16),
        indirect in prop::collection::vec(descriptor(), 16),
        heads in prop::collection::vec(0_u16..17, 1..16),
        headers in prop::collection::vec((0_u32..16, 0_u64..SECTORS + 2), 8),
    ) {
        let mut guest = Guest::new(ReadOnly, SECTORS);
        for (kind, sector) in headers {
            guest.header(kind, sector);
        }
        let queue = &mut guest.driver.queues[0];
        for (at, descriptors) in [(queue.desc, table), (0x2_0000, indirect)] {
            for (index, raw) in (0..).zip(descriptors) {
                queue.write_descriptor(at, index, raw.buffer, raw.flags, raw.next);
            }
        }
        for head in heads {
            queue.offer(head);
        }
        guest.driver.kick(0);
        for sector in 0..SECTORS {
            assert_eq!(guest.host_bytes(sector * 512, 512), [sector.to_le_bytes()[0]; 512]);
        }
        guest.driver.start(u64::MAX);
        assert_eq!(guest.read(9, 1).data, [9; 512]);
    }

    #[test]
    fn random_honest_requests_agree_with_a_model(
        requests in prop::collection::vec(
            (0_usize..4, 0_u64..SECTORS + 4, 1_u32..9, any::<u8>()), 1..40),
    ) {
        let mut guest = Guest::new(Writable, SECTORS);
        let mut model = guest.host_bytes(0, 64 * 512);
        for (what, sector, sectors, fill) in requests {
            let inside = sector + u64::from(sectors) <= SECTORS;
            let start = usize::try_from(sector).unwrap() * 512;
            let len = usize::try_from(sectors).unwrap() * 512;
            let answer = match what {
                0 => guest.request(IN, sector, &[], len),
                1 => guest.request(OUT, sector, &vec![fill; len], 0),
                2 => guest.request(13, 0, &range(sector, sectors, u32::from(fill & 1)), 0),
                _ => guest.request(4, 0, &[], 0),
            };
            assert_eq!(answer.status, u8::from(!inside && what != 3));
            if inside {
                match what {
                    0 => assert_eq!(answer.data, model[start..start + len]),
                    1 => model[start..start + len].fill(fill),
                    2 => model[start..start + len].fill(0),
                    _ => {}
                }
            }
        }
        assert_eq!(guest.host_bytes(0, model.len()), model);
    }
}
