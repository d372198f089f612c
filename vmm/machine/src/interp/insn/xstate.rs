//! XSAVE areas: where each state component lies, in the standard and in the compacted form
//! (Intel SDM volume 1, chapter 13). All offsets are in 64-bit words.

use kvm_bindings::CpuId;

use super::exception::Exception;
use super::walk::{Access, LinearMemory};

const X87: u64 = 1;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;
const COMPACTED: u64 = 1 << 63;

/// FCW, FSW, FTW, FOP, FIP, FDP.
const X87_CONTROL: Piece = Piece { at: 0, words: 3 };
const MXCSR: Piece = Piece { at: 3, words: 1 };
const X87_REGISTERS: Piece = Piece { at: 4, words: 16 };
const XMM_REGISTERS: Piece = Piece { at: 20, words: 32 };
const HEADER: usize = 64;
const HEADER_WORDS: usize = 8;
/// XSTATE_BV, which components hold anything.
const IN_USE: usize = HEADER;
/// XCOMP_BV, which components a compacted area has room for.
const ROOM_FOR: usize = HEADER + 1;
const EXTENDED: usize = HEADER + HEADER_WORDS;
/// Bits of MXCSR that no CPU with AVX lacks.
const MXCSR_RESERVED: u64 = 0xffff_0000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    at: usize,
    words: usize,
}

/// One component beyond x87 and SSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Component {
    bit: u64,
    standard: Piece,
    /// In the compacted form it begins at a multiple of 64 bytes.
    aligned: bool,
}

/// Where this host's CPU puts each component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    components: Vec<Component>,
}

/// What the instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// XSAVE, XSAVEOPT.
    Standard,
    /// XSAVEC.
    Compacted,
}

impl Layout {
    /// From leaf 0xd of what KVM supports.
    pub(super) fn new(features: &CpuId) -> Self {
        let mut components: Vec<_> = features
            .as_slice()
            .iter()
            .filter(|leaf| leaf.function == 0xd && (2..63).contains(&leaf.index))
            // ECX bit 0: a supervisor component, not touched by the instructions completed here.
            .filter(|leaf| leaf.ecx & 1 == 0 && leaf.eax > 0)
            .filter_map(|leaf| {
                Some(Component {
                    bit: 1 << leaf.index,
                    standard: Piece {
                        at: usize::try_from(leaf.ebx).ok()? / 8,
                        words: usize::try_from(leaf.eax).ok()?.div_ceil(8),
                    },
                    aligned: leaf.ecx & 2 != 0,
                })
            })
            .collect();
        components.sort_by_key(|component| component.bit);
        Self { components }
    }

    /// The pieces of the components in `wanted`: where in the standard form, where in the guest's area.
    /// `compacted` is the XCOMP_BV of a compacted area.
    fn pieces(&self, wanted: u64, compacted: Option<u64>) -> Vec<(Piece, usize)> {
        let mut pieces = Vec::new();
        if wanted & X87 != 0 {
            pieces.extend([
                (X87_CONTROL, X87_CONTROL.at),
                (X87_REGISTERS, X87_REGISTERS.at),
            ]);
        }
        if wanted & SSE != 0 {
            pieces.push((XMM_REGISTERS, XMM_REGISTERS.at));
        }
        let mut next = EXTENDED;
        for component in &self.components {
            let at = match compacted {
                None => component.standard.at,
                Some(room) if room & component.bit == 0 => continue,
                Some(_) => {
                    let start = if component.aligned {
                        next.next_multiple_of(8)
                    } else {
                        next
                    };
                    next = start + component.standard.words;
                    start
                }
            };
            if wanted & component.bit != 0 {
                pieces.push((component.standard, at));
            }
        }
        pieces
    }
}

/// One XSAVE or XRSTOR: whose area, where, and which components.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    pub(super) layout: &'a Layout,
    pub(super) memory: &'a LinearMemory<'a>,
    pub(super) address: u64,
    /// EDX:EAX & XCR0.
    pub(super) mask: u64,
    pub(super) xcr0: u64,
}

impl Transfer<'_> {
    /// Write `state` (KVM's, standard form) to the guest's area.
    pub(super) fn save(&self, state: &[u64], form: Form) -> Result<(), Exception> {
        // First of all, so that a missing page faults as the store that this is.
        self.probe(HEADER, HEADER_WORDS, Access::Write)?;
        let in_use = word(state, IN_USE) & self.mask;
        let (written, compacted, header) = match form {
            Form::Standard => {
                let old = self.read_word(IN_USE)?;
                (self.mask, None, (old & !self.mask) | in_use)
            }
            Form::Compacted => (in_use, Some(self.mask), in_use),
        };
        let mut pieces = self.layout.pieces(written, compacted);
        if written & (SSE | AVX) != 0 {
            pieces.push((MXCSR, MXCSR.at));
        }
        for (piece, at) in &pieces {
            self.probe(*at, piece.words, Access::Write)?;
        }
        for (piece, at) in pieces {
            let words = state
                .get(piece.at..piece.at + piece.words)
                .ok_or(Exception::GENERAL_PROTECTION)?;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            self.memory.write(self.place(at), &bytes)?;
        }
        self.write_word(IN_USE, header)?;
        match compacted {
            Some(room) => self.write_word(ROOM_FOR, room | COMPACTED),
            None => Ok(()),
        }
    }

    /// Change `state` (KVM's, standard form) to what the guest's area says.
    pub(super) fn restore(&self, state: &mut [u64]) -> Result<(), Exception> {
        let mut header = [0; HEADER_WORDS];
        self.read_words(HEADER, &mut header)?;
        let [in_use, room, reserved @ ..] = header;
        let compacted = (room & COMPACTED != 0).then_some(room & !COMPACTED);
        let allowed = match compacted {
            None if room != 0 => return Err(Exception::GENERAL_PROTECTION),
            None => self.xcr0,
            Some(room) if room & !self.xcr0 != 0 => return Err(Exception::GENERAL_PROTECTION),
            Some(room) => room,
        };
        let reserved_used = reserved.iter().any(|word| *word != 0);
        if in_use & !allowed != 0 || (reserved_used && compacted.is_some()) {
            return Err(Exception::GENERAL_PROTECTION);
        }
        let mut new = state.to_vec();
        let loaded = in_use & self.mask;
        for (piece, at) in self.layout.pieces(loaded, compacted) {
            let target = new
                .get_mut(piece.at..piece.at + piece.words)
                .ok_or(Exception::GENERAL_PROTECTION)?;
            self.read_words(at, target)?;
        }
        let mxcsr_from = if compacted.is_some() {
            loaded & SSE
        } else {
            self.mask & (SSE | AVX)
        };
        if mxcsr_from != 0 {
            let value = self.read_word(MXCSR.at)?;
            if value & MXCSR_RESERVED != 0 {
                return Err(Exception::GENERAL_PROTECTION);
            }
            let kept = word(&new, MXCSR.at) & !0xffff_ffff;
            set_word(&mut new, MXCSR.at, kept | (value & 0xffff));
        }
        let header = (word(state, IN_USE) & !self.mask) | loaded;
        // KVM takes MXCSR from the area only if SSE or AVX is in use there.
        let keeps_mxcsr = if mxcsr_from == 0 { 0 } else { SSE };
        if header & SSE == 0 && keeps_mxcsr != 0 {
            new[XMM_REGISTERS.at..XMM_REGISTERS.at + XMM_REGISTERS.words].fill(0);
        }
        set_word(&mut new, IN_USE, header | keeps_mxcsr);
        set_word(&mut new, ROOM_FOR, 0);
        state.copy_from_slice(&new);
        Ok(())
    }

    fn place(&self, word: usize) -> u64 {
        self.address.wrapping_add(word as u64 * 8)
    }

    fn probe(&self, at: usize, words: usize, access: Access) -> Result<(), Exception> {
        self.memory.probe(self.place(at), words as u64 * 8, access)
    }

    fn read_words(&self, at: usize, words: &mut [u64]) -> Result<(), Exception> {
        let mut bytes = vec![0; words.len() * 8];
        self.memory.read(self.place(at), &mut bytes)?;
        let (chunks, _) = bytes.as_chunks::<8>();
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_le_bytes(*chunk);
        }
        Ok(())
    }

    fn read_word(&self, at: usize) -> Result<u64, Exception> {
        let mut word = [0];
        self.read_words(at, &mut word)?;
        Ok(word[0])
    }

    fn write_word(&self, at: usize, word: u64) -> Result<(), Exception> {
        self.memory.write(self.place(at), &word.to_le_bytes())
    }
}

fn word(state: &[u64], at: usize) -> u64 {
    state.get(at).copied().unwrap_or(0)
}

fn set_word(state: &mut [u64], at: usize, value: u64) {
    if let Some(word) = state.get_mut(at) {
        *word = value;
    }
}

#[cfg(test)]
#[path = "tests/xstate.rs"]
mod tests;
