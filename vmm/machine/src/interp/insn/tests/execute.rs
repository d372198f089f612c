//! What completed instructions do, against Rust's own arithmetic.

use kvm_bindings::kvm_regs;
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::prop_assert_eq;
use vm_memory::{Bytes, GuestAddress};

use super::super::guest::{Guest, PRESENT, WRITABLE};
use super::{Cpu, Outcome, decode, execute};
use crate::interp::insn::exception::Exception;
use crate::interp::insn::xstate::Form;

const RIP: u64 = 0xffff_ffff_8100_0000;
const CF_PF_AF_ZF_SF_OF: u64 = 0x8d5;
const ZF: u64 = 0x40;

struct Ran {
    regs: kvm_regs,
    outcome: Result<Option<Outcome>, Exception>,
}

fn run_in(guest: &Guest, bytes: &[u8], regs: kvm_regs, x87_status: u16) -> Ran {
    let instruction = decode(bytes, RIP).unwrap();
    let mut cpu = Cpu {
        regs: kvm_regs { rip: RIP, ..regs },
        sregs: &guest.sregs,
        x87_status,
        memory: &guest.memory,
    };
    let outcome = execute(&mut cpu, &instruction);
    Ran {
        regs: cpu.regs,
        outcome,
    }
}

fn run(bytes: &[u8], regs: kvm_regs) -> Ran {
    run_in(&Guest::new(), bytes, regs, 0)
}

#[test]
fn int3_traps_behind_itself() {
    let ran = run(&[0xcc], kvm_regs::default());
    assert_eq!(ran.outcome, Ok(Some(Outcome::Trap(Exception::BREAKPOINT))));
    assert_eq!(ran.regs.rip, RIP + 1);
}

#[test]
fn ud2_faults_at_itself() {
    let ran = run(&[0x0f, 0x0b], kvm_regs::default());
    assert_eq!(ran.outcome, Err(Exception::INVALID_OPCODE));
    assert_eq!(ran.regs.rip, RIP);
}

#[test]
fn stac_and_clac_change_only_ac() {
    let flags = 0x202 | CF_PF_AF_ZF_SF_OF;
    let start = kvm_regs {
        rflags: flags,
        ..Default::default()
    };
    let set = run(&[0x0f, 0x01, 0xcb], start);
    assert_eq!(set.regs.rflags, flags | (1 << 18));
    let cleared = run(&[0x0f, 0x01, 0xca], set.regs);
    assert_eq!(cleared.regs.rflags, flags);
    assert_eq!(cleared.regs.rip, RIP + 3);
}

#[test]
fn fwait_raises_what_waits() {
    let mut guest = Guest::new();
    let start = kvm_regs::default();
    assert_eq!(
        run_in(&guest, &[0x9b], start, 0).outcome,
        Ok(Some(Outcome::Done))
    );
    let pending = run_in(&guest, &[0x9b], start, 0x80);
    assert_eq!(pending.outcome, Err(Exception::X87_ERROR));
    guest.sregs.cr0 |= 0xa;
    let switched = run_in(&guest, &[0x9b], start, 0x80);
    assert_eq!(switched.outcome, Err(Exception::DEVICE_NOT_AVAILABLE));
}

#[test]
fn instruction_that_kvm_can_emulate_is_not_completed() {
    for bytes in [&[0x90][..], &[0x0f, 0xa2], &[0xf4], &[0x48, 0x89, 0xd8]] {
        assert_eq!(
            run(bytes, kvm_regs::default()).outcome,
            Ok(None),
            "{bytes:x?}"
        );
    }
}

#[test]
fn lsl_tells_a_segments_limit_by_the_zero_flag() {
    let mut guest = Guest::new();
    guest.map(3, 0x20, PRESENT | WRITABLE);
    guest
        .memory
        .write_obj(0x0040_f500_0000_0001_u64, GuestAddress(0x2_0078))
        .unwrap();
    guest.sregs.gdt.base = 0x3000;
    guest.sregs.gdt.limit = 0x7f;
    let start = kvm_regs {
        rax: u64::MAX,
        rcx: 0x7b,
        ..Default::default()
    };
    // lsl rax, rcx
    let told = run_in(&guest, &[0x48, 0x0f, 0x03, 0xc1], start, 0);
    assert_eq!((told.regs.rax, told.regs.rflags & ZF), (1, ZF));
    let other = kvm_regs {
        rcx: 0x73,
        rflags: ZF,
        ..start
    };
    let not_told = run_in(&guest, &[0x48, 0x0f, 0x03, 0xc1], other, 0);
    assert_eq!(
        (not_told.regs.rax, not_told.regs.rflags & ZF),
        (u64::MAX, 0)
    );
    assert_eq!(not_told.regs.rip, RIP + 4);
}

#[test]
fn verw_tells_by_the_zero_flag_whether_a_segment_can_be_written() {
    let mut guest = Guest::new();
    guest.map(3, 0x20, PRESENT | WRITABLE);
    let descriptors = [
        (8, 0x00cf_9300_0000_ffff_u64, ZF), // data, writable
        (16, 0x00cf_9100_0000_ffff, 0),     // data, read-only
        (24, 0x00af_9b00_0000_ffff, 0),     // code
        (32, 0x00cf_1300_0000_ffff, 0),     // not present
        (0, 0x00cf_9300_0000_ffff, 0),      // the null selector
    ];
    guest.sregs.gdt.base = 0x3000;
    guest.sregs.gdt.limit = 0x27;
    for (selector, descriptor, zero) in descriptors {
        let slot = GuestAddress(0x2_0000 + selector);
        guest.memory.write_obj(descriptor, slot).unwrap();
        let start = kvm_regs {
            rcx: selector,
            rflags: 2 | (ZF ^ zero),
            ..Default::default()
        };
        // verw cx
        let told = run_in(&guest, &[0x0f, 0x00, 0xe9], start, 0);
        assert_eq!(told.outcome, Ok(Some(Outcome::Done)));
        assert_eq!(told.regs.rflags & ZF, zero, "selector {selector}");
        assert_eq!(told.regs.rip, RIP + 3);
    }
}

#[test]
fn xsave_family_names_its_area() {
    let start = kvm_regs {
        rdi: 0x3000,
        ..Default::default()
    };
    let cases = [
        (
            &[0x0f, 0xae, 0x67, 0x40][..],
            Outcome::Save(0x3040, Form::Standard),
        ),
        (
            &[0x48, 0x0f, 0xae, 0x67, 0x40],
            Outcome::Save(0x3040, Form::Standard),
        ),
        (
            &[0x48, 0x0f, 0xae, 0x77, 0x40],
            Outcome::Save(0x3040, Form::Standard),
        ),
        (
            &[0x48, 0x0f, 0xc7, 0x67, 0x40],
            Outcome::Save(0x3040, Form::Compacted),
        ),
        (&[0x48, 0x0f, 0xae, 0x6f, 0x40], Outcome::Restore(0x3040)),
    ];
    for (bytes, expected) in cases {
        let ran = run(bytes, start);
        assert_eq!(ran.outcome, Ok(Some(expected)), "{bytes:x?}");
        assert_eq!(ran.regs.rip, RIP + bytes.len() as u64);
    }
    let odd = run(&[0x0f, 0xae, 0x67, 0x20], start);
    assert_eq!(odd.outcome, Err(Exception::GENERAL_PROTECTION));
}

#[test]
fn xsave_without_osxsave_is_undefined() {
    let mut guest = Guest::new();
    guest.sregs.cr4 = 1 << 5;
    let ran = run_in(&guest, &[0x0f, 0xae, 0x27], kvm_regs::default(), 0);
    assert_eq!(ran.outcome, Err(Exception::INVALID_OPCODE));
}

#[test]
fn cmpxchg16b_on_an_odd_address_is_a_protection_fault() {
    let start = kvm_regs {
        rdi: 0x3008,
        ..Default::default()
    };
    let ran = run(&[0x48, 0x0f, 0xc7, 0x0f], start);
    assert_eq!(ran.outcome, Err(Exception::GENERAL_PROTECTION));
    assert_eq!(ran.regs.rip, RIP);
}

#[test]
fn operand_relative_to_gs_is_found_there() {
    let mut guest = Guest::new();
    guest.map(3, 0x20, PRESENT | WRITABLE);
    guest.sregs.gs.base = 0x3000;
    guest
        .memory
        .write_obj(0xff_u64, GuestAddress(0x2_0010))
        .unwrap();
    // popcnt rax, gs:[0x10]
    let bytes = [0x65, 0xf3, 0x48, 0x0f, 0xb8, 0x04, 0x25, 0x10, 0, 0, 0];
    let ran = run_in(&guest, &bytes, kvm_regs::default(), 0);
    assert_eq!(ran.outcome, Ok(Some(Outcome::Done)));
    assert_eq!(ran.regs.rax, 8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn popcnt_counts_and_sets_flags(source in any::<u64>(), old in any::<u64>(), rflags in any::<u64>()) {
        let start = kvm_regs { rax: old, rbx: source, rflags, ..Default::default() };
        let cases: [(&[u8], u64, u64); 3] = [
            (&[0x66, 0xf3, 0x0f, 0xb8, 0xc3], source & 0xffff, old & !0xffff),
            (&[0xf3, 0x0f, 0xb8, 0xc3], source & 0xffff_ffff, 0),
            (&[0xf3, 0x48, 0x0f, 0xb8, 0xc3], source, 0),
        ];
        for (bytes, value, kept) in cases {
            let ran = run(bytes, start);
            prop_assert_eq!(ran.outcome, Ok(Some(Outcome::Done)));
            prop_assert_eq!(ran.regs.rax, kept | u64::from(value.count_ones()));
            let flags = (rflags & !CF_PF_AF_ZF_SF_OF) | if value == 0 { ZF } else { 0 };
            prop_assert_eq!(ran.regs.rflags, flags);
            prop_assert_eq!(ran.regs.rbx, source);
        }
    }

    #[test]
    fn popcnt_of_memory_equals_popcnt_of_a_register(source in any::<u64>(), at in 0_u64..0x1ff8) {
        let guest = Guest::new();
        guest.map(3, 0x20, PRESENT | WRITABLE);
        guest.map(4, 0x21, PRESENT | WRITABLE);
        guest.memory.write_obj(source, GuestAddress(0x2_0000 + at)).unwrap();
        let start = kvm_regs { rbx: 0x3000 + at, ..Default::default() };
        let ran = run_in(&guest, &[0xf3, 0x48, 0x0f, 0xb8, 0x03], start, 0);
        prop_assert_eq!(ran.outcome, Ok(Some(Outcome::Done)));
        prop_assert_eq!(ran.regs.rax, u64::from(source.count_ones()));
    }

    #[test]
    fn cmpxchg16b_exchanges_if_equal_and_loads_if_not(
        memory in any::<[u64; 2]>(),
        guess in any::<[u64; 2]>(),
        new in any::<[u64; 2]>(),
        right in any::<bool>(),
    ) {
        let guest = Guest::new();
        guest.map(3, 0x20, PRESENT | WRITABLE);
        for (place, value) in [(0x2_0010, memory[0]), (0x2_0018, memory[1])] {
            guest.memory.write_obj(value, GuestAddress(place)).unwrap();
        }
        let guess = if right { memory } else { guess };
        let start = kvm_regs {
            rax: guess[0], rdx: guess[1], rbx: new[0], rcx: new[1], rdi: 0x3010,
            ..Default::default()
        };
        let ran = run_in(&guest, &[0xf0, 0x48, 0x0f, 0xc7, 0x0f], start, 0);
        prop_assert_eq!(ran.outcome, Ok(Some(Outcome::Done)));
        let equal = guess == memory;
        prop_assert_eq!(ran.regs.rflags & ZF != 0, equal);
        let low: u64 = guest.memory.read_obj(GuestAddress(0x2_0010)).unwrap();
        let high: u64 = guest.memory.read_obj(GuestAddress(0x2_0018)).unwrap();
        prop_assert_eq!([low, high], if equal { new } else { memory });
        prop_assert_eq!([ran.regs.rax, ran.regs.rdx], if equal { guess } else { memory });
        prop_assert_eq!([ran.regs.rbx, ran.regs.rcx], new);
    }

    #[test]
    fn any_bytes_are_carried_out_or_left_alone(bytes in any::<[u8; 15]>(), pointer in any::<u64>()) {
        let guest = Guest::new();
        let Some(instruction) = decode(&bytes, RIP) else { return Ok(()) };
        let regs = kvm_regs { rip: RIP, rax: pointer, rdi: pointer, rsi: pointer, ..Default::default() };
        let mut cpu = Cpu { regs, sregs: &guest.sregs, x87_status: 0, memory: &guest.memory };
        match execute(&mut cpu, &instruction) {
            Ok(Some(_)) => prop_assert_eq!(cpu.regs.rip, instruction.next_ip()),
            Ok(None) | Err(_) => prop_assert_eq!(cpu.regs, regs),
        }
    }
}
