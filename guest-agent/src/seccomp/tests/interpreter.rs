//! Classic BPF as seccomp has it: what the kernel's checker refuses, this one panics about.

use crate::seccomp::program::Instruction;

/// `AUDIT_ARCH_X86_64`.
pub(super) const X86_64: u32 = 0xc000_003e;

/// `struct seccomp_data`, without the instruction pointer, which no program of ours may look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: u32,
    pub(super) architecture: u32,
    pub(super) arguments: [u64; 6],
}

impl Call {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            architecture: X86_64,
            arguments: [0; 6],
        }
    }

    fn word(&self, offset: u32) -> u32 {
        assert!(offset.is_multiple_of(4), "load at {offset}");
        let half = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap();
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 => {
                let argument = self.arguments[usize::try_from((offset - 16) / 8).unwrap()];
                half(if offset.is_multiple_of(8) {
                    argument
                } else {
                    argument >> 32
                })
            }
            _ => panic!("load at {offset}"),
        }
    }
}

/// What the program returns, and after how many instructions.
pub(super) fn run(program: &[Instruction], call: &Call) -> (u32, usize) {
    let mut accumulator = 0_u32;
    let mut at = 0;
    for steps in 1.. {
        let Instruction {
            code,
            if_true,
            if_false,
            value,
        } = program[at];
        at += 1;
        let holds = match code {
            0x20 => {
                accumulator = call.word(value);
                continue;
            }
            0x54 => {
                accumulator &= value;
                continue;
            }
            0x05 => {
                at += usize::try_from(value).unwrap();
                continue;
            }
            0x06 => return (value, steps),
            0x15 => accumulator == value,
            0x25 => accumulator > value,
            0x35 => accumulator >= value,
            0x45 => accumulator & value != 0,
            _ => panic!("instruction {code:#x}"),
        };
        at += usize::from(if holds { if_true } else { if_false });
    }
    unreachable!()
}
