//! Addresses and interrupts of devices.

use std::collections::BTreeSet;

use super::{CLOCK_GSI, Device, Place, places};
use crate::api::config::{BlockSlots, SlotClass};
use crate::arch::layout;

fn default_places() -> Vec<Place> {
    let slots = BlockSlots {
        writable: 5,
        read_only: 16,
    };
    places(slots, true, true)
}

#[test]
fn every_device_has_a_page_of_its_own_inside_the_window() {
    let slots = BlockSlots {
        writable: 16,
        read_only: 16,
    };
    let places = places(slots, true, true);
    assert_eq!(places.len(), 34);
    let bases: BTreeSet<_> = places.iter().map(|place| place.base).collect();
    assert_eq!(bases.len(), 34);
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
    assert_eq!(shared.len(), 6);
    for place in shared {
        assert!(matches!(
            place.device,
            Device::Block(SlotClass::ReadOnly, 10..)
        ));
        assert_eq!(place.gsi, layout::GSI_COUNT - 1);
        assert!(!own_lines.contains(&place.gsi));
    }
}
