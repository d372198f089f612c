//! Addresses and interrupts of devices.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{CLOCK_GSI, Device, Place, places};
use crate::api::MachineConfig;
use crate::api::config::SlotClass;
use crate::arch::layout;

/// The places of a machine with every kind of device.
fn places_with(slots: &Value) -> Vec<Place> {
    let boot = json!({"fd": 1, "sha256": "", "name": "file"});
    let config = json!({
        "version": 1, "vcpus": 1, "memory_mib": 64, "kvm_fd": 0,
        "host": {"kind": "hardware", "ns_per_instruction": 0},
        "kernel": boot, "initramfs": boot, "slots": slots,
        "vsock": {"fd": 2, "guest_cid": 3, "doorbells": {"started_port": 1, "ready_port": 2}},
        "rng": true, "balloon": true, "net_slots": 4, "control_fd": null,
        "jail": {"uid": 1, "gid": 1},
    });
    places(&serde_json::from_value::<MachineConfig>(config).unwrap())
}

fn default_places() -> Vec<Place> {
    places_with(&json!({"writable": 5, "read_only": 16}))
}

#[test]
fn every_device_has_a_page_of_its_own_inside_the_window() {
    let places = places_with(&json!({"writable": 16, "read_only": 16}));
    assert_eq!(places.len(), 39);
    let bases: BTreeSet<_> = places.iter().map(|place| place.base).collect();
    assert_eq!(bases.len(), 39);
    for base in bases {
        assert!((layout::MMIO_START..layout::MMIO_END).contains(&base));
        assert_eq!(base % layout::MMIO_SLOT_BYTES, 0);
    }
}

#[test]
fn interrupts_are_inputs_that_no_pc_device_has() {
    for place in default_places() {
        assert!((layout::FIRST_DEVICE_GSI..layout::GSI_COUNT).contains(&place.gsi));
        assert_ne!(place.gsi, CLOCK_GSI);
    }
}

#[test]
fn first_17_devices_have_a_line_of_their_own_and_the_rest_share_one() {
    let places = default_places();
    let (own, shared) = places.split_at(17);
    let own_lines: BTreeSet<_> = own.iter().map(|place| place.gsi).collect();
    assert_eq!(own_lines.len(), 17);
    assert_eq!(shared.len(), 11);
    for place in shared {
        assert!(matches!(
            place.device,
            Device::Block(SlotClass::ReadOnly, 5..)
        ));
        assert_eq!(place.gsi, layout::GSI_COUNT - 1);
        assert!(!own_lines.contains(&place.gsi));
    }
}
