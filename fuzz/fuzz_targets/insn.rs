//! One instruction that an interpreting KVM leaves to the VMM, with registers, page tables and memory all chosen by the
//! guest. Beyond "no panic": an instruction that is carried out moves RIP by its length.
#![no_main]

use husk_machine::interp::testing::carry_out;
use kvm_bindings::{kvm_regs, kvm_sregs};
use libfuzzer_sys::fuzz_target;
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const MEM: usize = 1 << 16;
const CODE: usize = 15;
const WORDS: usize = 8;

fuzz_target!(|input: &[u8]| {
    if input.len() < CODE + WORDS * 8 {
        return;
    }
    let (code, rest) = input.split_at(CODE);
    let (words, image) = rest.split_at(WORDS * 8);
    let word = |at: usize| u64::from_le_bytes(words[at * 8..at * 8 + 8].try_into().unwrap());
    let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(0), MEM)]).unwrap();
    let image = &image[..image.len().min(MEM)];
    memory.write_slice(image, GuestAddress(0)).unwrap();
    let mut sregs = kvm_sregs {
        cr0: word(0),
        cr3: word(1),
        cr4: word(2),
        ..Default::default()
    };
    sregs.gs.base = word(3);
    sregs.ss.dpl = u8::from(word(0) & (1 << 60) != 0) * 3;
    let rip = 0xffff_ffff_8100_0000;
    let regs = kvm_regs {
        rip,
        rflags: word(4),
        rax: word(5),
        rdx: word(6),
        rbx: word(4),
        rcx: word(5),
        rsi: word(7),
        rdi: word(7),
        r8: word(6),
        ..Default::default()
    };
    if let Some(after) = carry_out(&memory, regs, &sregs, code) {
        assert!((rip + 1..=rip + 15).contains(&after.rip));
    }
});
