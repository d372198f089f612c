//! Classic BPF: instructions, and how a program is put together from its end.
//!
//! Jumps of classic BPF go forward only and conditional ones at most 255 instructions far. So the end is made first,
//! whatever is jumped to exists already, and what is too far away is brought near by a copy of the return or a long jump.

use std::collections::HashMap;

use super::profile::ProfileError;

/// The kernel's limit (`BPF_MAXINSNS`).
pub(super) const MAX_INSTRUCTIONS: usize = 4096;

/// How far a conditional jump may go, with room for the two instructions that may come between.
const REACH: usize = 255 - 2;

// linux/bpf_common.h: a load of a word of the seccomp data, the jumps, the mask and the end.
pub(super) const LOAD: u16 = 0x20;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
pub(super) const JUMP_ANY_BIT: u16 = 0x45;
pub(super) const AND: u16 = 0x54;
pub(super) const RETURN: u16 = 0x06;

/// `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(super) code: u16,
    pub(super) if_true: u8,
    pub(super) if_false: u8,
    pub(super) value: u32,
}

/// A filter that the kernel can load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(super) instructions: Vec<Instruction>,
    /// For seccomp(2).
    pub(super) flags: u32,
}

impl Program {
    /// For the helper's job: the flags, then a word for each instruction, with the code above and the value below.
    pub(crate) fn to_words(&self) -> Vec<u64> {
        let word = |instruction: &Instruction| {
            let [code_low, code_high] = instruction.code.to_le_bytes();
            let [a, b, c, d] = instruction.value.to_le_bytes();
            let (if_true, if_false) = (instruction.if_true, instruction.if_false);
            u64::from_le_bytes([a, b, c, d, if_false, if_true, code_low, code_high])
        };
        let flags = [u64::from(self.flags)];
        let instructions = self.instructions.iter().map(word);
        flags.into_iter().chain(instructions).collect()
    }

    /// What [`Self::to_words`] made.
    pub(crate) fn from_words(words: &[u64]) -> Option<Self> {
        let (flags, words) = words.split_first()?;
        let instruction = |word: &u64| {
            let [a, b, c, d, if_false, if_true, code_low, code_high] = word.to_le_bytes();
            Instruction {
                code: u16::from_le_bytes([code_low, code_high]),
                if_true,
                if_false,
                value: u32::from_le_bytes([a, b, c, d]),
            }
        };
        let flags = u32::try_from(*flags).ok()?;
        let fits = (1..=MAX_INSTRUCTIONS).contains(&words.len());
        fits.then(|| Self {
            instructions: words.iter().map(instruction).collect(),
            flags,
        })
    }
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// End with this value.
    Return(u32),
    /// At an instruction, counted from the program's end.
    At(usize),
}

/// A program that grows towards its beginning.
#[derive(Debug, Default)]
pub(super) struct Emitter {
    reversed: Vec<Instruction>,
    /// The nearest return of each value.
    returns: HashMap<u32, usize>,
}

impl Emitter {
    /// Puts a conditional jump before what is there.
    pub(super) fn branch(
        &mut self,
        code: u16,
        value: u32,
        if_true: Target,
        if_false: Target,
    ) -> Result<Target, ProfileError> {
        if if_true == if_false {
            return Ok(if_true);
        }
        let if_true = self.near(if_true)?;
        let if_false = self.near(if_false)?;
        let if_true = self.distance(if_true);
        let if_false = self.distance(if_false);
        self.push(code, (if_true, if_false), value)
    }

    /// Puts an instruction before what is there, that goes on at a target.
    pub(super) fn step(
        &mut self,
        code: u16,
        value: u32,
        next: Target,
    ) -> Result<Target, ProfileError> {
        if next != self.last() {
            self.bring(next)?;
        }
        self.push(code, (0, 0), value)
    }

    /// The finished program, of which the last instruction to come was the first.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    /// The instruction that was put last.
    fn last(&self) -> Target {
        Target::At(self.reversed.len().wrapping_sub(1))
    }

    /// How many instructions a jump that is put now skips.
    fn distance(&self, at: usize) -> u8 {
        // `near` keeps it in range; a distance that is not would fail every comparison with the oracle.
        u8::try_from(self.reversed.len() - 1 - at).unwrap_or(u8::MAX)
    }

    /// Where a conditional jump can go to get to the target.
    fn near(&mut self, target: Target) -> Result<usize, ProfileError> {
        let known = match target {
            Target::At(at) => Some(at),
            Target::Return(value) => self.returns.get(&value).copied(),
        };
        match known {
            Some(at) if self.reversed.len() - 1 - at <= REACH => Ok(at),
            _ => self.bring(target),
        }
    }

    /// Puts an instruction here that goes to the target.
    fn bring(&mut self, target: Target) -> Result<usize, ProfileError> {
        match target {
            Target::Return(value) => {
                self.push(RETURN, (0, 0), value)?;
                self.returns.insert(value, self.reversed.len() - 1);
            }
            Target::At(at) => {
                let skipped = self.reversed.len() - 1 - at;
                // The program's limit is far below.
                self.push(JUMP, (0, 0), u32::try_from(skipped).unwrap_or(u32::MAX))?;
            }
        }
        Ok(self.reversed.len() - 1)
    }

    fn push(
        &mut self,
        code: u16,
        (if_true, if_false): (u8, u8),
        value: u32,
    ) -> Result<Target, ProfileError> {
        if self.reversed.len() == MAX_INSTRUCTIONS {
            return Err(ProfileError::TooLong(MAX_INSTRUCTIONS));
        }
        self.reversed.push(Instruction {
            code,
            if_true,
            if_false,
            value,
        });
        Ok(self.last())
    }
}
