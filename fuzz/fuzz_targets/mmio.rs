//! Register accesses of any size, place and order, kicks among them, on a slot whose memory holds
//! the input too. Beyond "no panic": a reset brings back a device that works.
#![no_main]

use husk_devices::rng::RngDevice;
use husk_devices::virtio::MmioHandler;
use husk_devices::virtio::testing::FakeDriver;
use libfuzzer_sys::fuzz_target;
use vm_memory::{Bytes, GuestAddress};

const MEM: usize = 1 << 18;

/// Registers that a driver writes; most other offsets do nothing.
const WRITABLE: [u64; 18] = [
    0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xac,
    0x100, 0x104,
];

fuzz_target!(|input: &[u8]| {
    let mut driver = FakeDriver::new(RngDevice::default(), MEM);
    let image = &input[..input.len().min(MEM / 2)];
    driver.mem.write_slice(image, GuestAddress(0x1000)).unwrap();
    let mut accesses = input.chunks_exact(8);
    for access in &mut accesses {
        let [kind, place, low, high, value @ ..] = access else {
            return;
        };
        let offset = if kind & 1 == 0 {
            WRITABLE[usize::from(*place) % WRITABLE.len()]
        } else {
            u64::from(u16::from_le_bytes([*low, *high])) % 0x1010
        };
        let len = if kind & 2 == 0 {
            4
        } else {
            usize::from(*low) % 9
        };
        if kind & 4 == 0 {
            let mut data = [0; 8];
            data[..4].copy_from_slice(value);
            driver.slot.write(offset, &data[..len]);
        } else {
            driver.slot.read(offset, &mut [0; 8][..len]);
        }
        match kind >> 4 {
            0 => {
                let _ = driver.slot.process_queue(u16::from(*place));
            }
            1 => driver.slot.notify_config_change(),
            2 => {
                let state = driver.slot.state();
                driver
                    .slot
                    .restore(state)
                    .expect("a saved state can be restored");
                driver.slot.resume();
            }
            _ => {}
        }
    }
    driver.start(u64::MAX);
    let buffer = driver.writable(32);
    assert_eq!(driver.transfer(0, &[buffer]).unwrap().len, 32);
});
