//! XSAVE areas of a made-up CPU: AVX at 576 (256 bytes), PKRU at 2688 (8 bytes), a component of 64 bytes, aligned.

use kvm_bindings::{CpuId, kvm_cpuid_entry2};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::prop_assert_eq;
use vm_memory::{Bytes, GuestAddress};

use super::super::guest::{Guest, PRESENT, WRITABLE};
use super::{COMPACTED, Form, IN_USE, Layout, MXCSR, ROOM_FOR, Transfer};
use crate::interp::insn::exception::Exception;
use crate::interp::insn::walk::LinearMemory;

const XCR0: u64 = 0b1110_0111 & !0b1110_0000 | (1 << 9) | (1 << 17);
const AVX: u64 = 4;
const PKRU: u64 = 1 << 9;
const TILE: u64 = 1 << 17;
const AREA: u64 = 0x3000;
const WORDS: usize = 512;

fn layout() -> Layout {
    let leaf = |index, eax, ebx, ecx| kvm_cpuid_entry2 {
        function: 0xd,
        index,
        eax,
        ebx,
        ecx,
        ..Default::default()
    };
    let leaves = [
        leaf(0, 7, 0, 0),
        leaf(1, 7, 0, 0),
        leaf(2, 256, 576, 0),
        leaf(9, 8, 2688, 0),
        // A supervisor component.
        leaf(11, 16, 0, 1),
        leaf(17, 64, 2752, 2),
    ];
    Layout::new(&CpuId::from_entries(&leaves).unwrap())
}

fn guest() -> Guest {
    let guest = Guest::new();
    guest.map(3, 0x20, PRESENT | WRITABLE);
    guest.map(4, 0x21, PRESENT | WRITABLE);
    guest
}

fn area(guest: &Guest) -> Vec<u64> {
    (0..WORDS as u64)
        .map(|at| {
            guest
                .memory
                .read_obj(GuestAddress(0x2_0000 + at * 8))
                .unwrap()
        })
        .collect()
}

fn put(guest: &Guest, at: usize, value: u64) {
    let place = GuestAddress(0x2_0000 + at as u64 * 8);
    guest.memory.write_obj(value, place).unwrap();
}

fn transfer<T>(guest: &Guest, mask: u64, of: impl FnOnce(&Transfer<'_>) -> T) -> T {
    let layout = layout();
    let memory = LinearMemory::new(&guest.memory, &guest.sregs, 0);
    of(&Transfer {
        layout: &layout,
        memory: &memory,
        address: AREA,
        mask,
        xcr0: XCR0,
    })
}

/// A state whose every word tells its place; reserved parts are zero.
fn state(in_use: u64) -> Vec<u64> {
    let mut words: Vec<u64> = (0..WORDS as u64).map(|at| at << 32 | 0xabc).collect();
    words[MXCSR.at] = 0xffff_0000_1f80;
    words[52..64].fill(0);
    words[IN_USE] = in_use;
    words[IN_USE + 1..IN_USE + 8].fill(0);
    words
}

#[test]
fn save_writes_only_what_is_asked() {
    let guest = guest();
    put(&guest, IN_USE, 0b11);
    let saved = state(XCR0);
    transfer(&guest, AVX, |t| t.save(&saved, Form::Standard)).unwrap();
    let area = area(&guest);
    assert_eq!(area[72..104], saved[72..104]);
    assert_eq!(area[0..3], [0; 3]);
    assert_eq!(area[20..52], [0; 32]);
    assert_eq!(area[MXCSR.at], saved[MXCSR.at]);
    assert_eq!(area[IN_USE], 0b111);
    assert_eq!(area[ROOM_FOR], 0);
}

#[test]
fn save_marks_components_in_their_first_state_as_unused() {
    let guest = guest();
    put(&guest, IN_USE, XCR0);
    transfer(&guest, XCR0, |t| t.save(&state(0b11), Form::Standard)).unwrap();
    assert_eq!(area(&guest)[IN_USE], 0b11);
}

#[test]
fn compacted_save_leaves_out_gaps_but_keeps_alignment() {
    let guest = guest();
    let saved = state(AVX | PKRU | TILE);
    transfer(&guest, AVX | PKRU | TILE, |t| {
        t.save(&saved, Form::Compacted)
    })
    .unwrap();
    let area = area(&guest);
    assert_eq!(area[72..104], saved[72..104]);
    assert_eq!(area[104], saved[336]);
    // 105 words so far: the next multiple of 8 is 112.
    assert_eq!(area[112..120], saved[344..352]);
    assert_eq!(area[IN_USE], AVX | PKRU | TILE);
    assert_eq!(area[ROOM_FOR], COMPACTED | AVX | PKRU | TILE);
}

#[test]
fn restore_of_an_unused_component_clears_its_bit() {
    let guest = guest();
    let mut now = state(XCR0);
    put(&guest, IN_USE, 0b11);
    put(&guest, MXCSR.at, 0x1f80);
    transfer(&guest, XCR0, |t| t.restore(&mut now)).unwrap();
    assert_eq!(now[IN_USE], 0b11);
}

#[test]
fn restore_leaves_what_is_not_asked_for() {
    let guest = guest();
    let before = state(XCR0);
    let mut now = before.clone();
    put(&guest, IN_USE, PKRU);
    put(&guest, 336, 0x55);
    transfer(&guest, PKRU, |t| t.restore(&mut now)).unwrap();
    let mut expected = before;
    expected[336] = 0x55;
    assert_eq!(now, expected);
}

#[test]
fn header_with_impossible_bits_is_a_protection_fault() {
    let cases = [
        (IN_USE, 1 << 30),
        (ROOM_FOR, 1),
        (ROOM_FOR, COMPACTED | 1 << 30),
        (MXCSR.at, 1 << 16),
    ];
    for (at, value) in cases {
        let guest = guest();
        put(&guest, IN_USE, 0b10);
        put(&guest, at, value);
        let before = state(XCR0);
        let mut now = before.clone();
        let result = transfer(&guest, XCR0, |t| t.restore(&mut now));
        assert_eq!(result, Err(Exception::GENERAL_PROTECTION), "{at}");
        assert_eq!(now, before);
    }
}

#[test]
fn save_into_a_missing_page_faults_before_it_writes() {
    let guest = guest();
    guest.map(4, 0x21, 0);
    let layout = layout();
    let memory = LinearMemory::new(&guest.memory, &guest.sregs, 0);
    let t = Transfer {
        layout: &layout,
        memory: &memory,
        address: 0x3e00,
        mask: XCR0,
        xcr0: XCR0,
    };
    let result = t.save(&state(XCR0), Form::Standard);
    assert_eq!(result, Err(Exception::page_fault(0x4000, 2)));
    assert!(area(&guest).iter().all(|word| *word == 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_saved_is_restored(
        noise in vec(any::<u64>(), WORDS),
        in_use in any::<u64>(),
        compacted in any::<bool>(),
    ) {
        let guest = guest();
        let mut saved = noise;
        saved[MXCSR.at] &= 0xffff;
        saved[52..64].fill(0);
        saved[IN_USE] = in_use & XCR0;
        saved[IN_USE + 1..IN_USE + 8].fill(0);
        let form = if compacted { Form::Compacted } else { Form::Standard };
        transfer(&guest, XCR0, |t| t.save(&saved, form)).unwrap();
        let mut restored = state(0);
        transfer(&guest, XCR0, |t| t.restore(&mut restored)).unwrap();
        let parts = [(1, 0..3), (1, 4..20), (2, 20..52), (AVX, 72..104), (PKRU, 336..337), (TILE, 344..352)];
        for (bit, range) in parts {
            if saved[IN_USE] & bit != 0 {
                prop_assert_eq!(&restored[range.clone()], &saved[range]);
                prop_assert_eq!(restored[IN_USE] & bit, bit);
            } else if bit != 2 {
                prop_assert_eq!(restored[IN_USE] & bit, 0);
            }
        }
    }
}
