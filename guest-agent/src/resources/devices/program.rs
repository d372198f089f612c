//! From rules to an eBPF program of type `BPF_PROG_TYPE_CGROUP_DEVICE`.
//!
//! The kernel runs it for each open and mknod with the device's kind and numbers and the accesses that are wanted. It
//! asks the rules from the last to the first; a rule that allows takes its accesses off the list of what is still
//! undecided, one that denies ends the matter if it names one of them. What is undecided at the end is denied.

use super::rules::{Access, Kind, Rule};

/// One instruction as the kernel reads it.
pub(super) type Instruction = [u8; 8];

/// What is to be done with a container's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::resources) enum Verdict {
    /// Nothing is denied: no program is needed.
    AllowAll,
    /// This program decides.
    Ask(Vec<Instruction>),
}

// Opcodes (Documentation/bpf/standardization/instruction-set.rst): class, operation and source in one byte.
pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const MOVE: u8 = 0xb4;
pub(super) const MOVE_REGISTER: u8 = 0xbc;
pub(super) const AND: u8 = 0x54;
pub(super) const SHIFT_RIGHT: u8 = 0x74;
pub(super) const JUMP: u8 = 0x05;
pub(super) const JUMP_IF_EQUAL: u8 = 0x16;
pub(super) const JUMP_IF_SET: u8 = 0x46;
pub(super) const JUMP_IF_NOT_EQUAL: u8 = 0x56;
pub(super) const EXIT: u8 = 0x95;

// Registers: the answer, the argument, and where the parts of the question are kept.
const ANSWER: u8 = 0;
const QUESTION: u8 = 1;
const KIND: u8 = 2;
const UNDECIDED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

// struct bpf_cgroup_dev_ctx: the access in the upper half of the first word, the kind in the lower.
const ACCESS_TYPE_AT: u16 = 0;
const MAJOR_AT: u16 = 4;
const MINOR_AT: u16 = 8;
const KIND_MASK: u32 = 0xffff;
const ACCESS_SHIFT: u32 = 16;

// BPF_DEVCG_DEV_*
const BLOCK: u32 = 1;
const CHAR: u32 = 2;

fn instruction(code: u8, (to, from): (u8, u8), offset: u16, value: u32) -> Instruction {
    let [offset_low, offset_high] = offset.to_le_bytes();
    let [a, b, c, d] = value.to_le_bytes();
    [code, from << 4 | to, offset_low, offset_high, a, b, c, d]
}

/// Where a jump goes that is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    /// The rule after this one.
    Next,
    /// What comes after the rules for this kind of device, or this major number.
    NextKind,
    NextMajor,
    Allow,
    Deny,
}

#[derive(Default)]
struct Assembler {
    code: Vec<Instruction>,
    /// Jumps whose offset is to be filled in.
    open: Vec<(usize, Label)>,
}

impl Assembler {
    fn emit(&mut self, code: u8, registers: (u8, u8), offset: u16, value: u32) {
        self.code.push(instruction(code, registers, offset, value));
    }

    fn jump(&mut self, code: u8, register: u8, value: u32, label: Label) {
        self.open.push((self.code.len(), label));
        self.emit(code, (register, 0), 0, value);
    }

    fn is_wanted(&self, label: Label) -> bool {
        self.open.iter().any(|(_, open)| *open == label)
    }

    /// The next instruction is where these jumps go. Programs are far shorter than the offset can say.
    fn land(&mut self, label: Label) {
        let here = self.code.len();
        for &(at, _) in self.open.iter().filter(|(_, open)| *open == label) {
            let offset = u16::try_from(here - at - 1).unwrap_or(u16::MAX);
            if let Some(jump) = self.code.get_mut(at) {
                jump[2..4].copy_from_slice(&offset.to_le_bytes());
            }
        }
        self.open.retain(|(_, open)| *open != label);
    }

    fn answer(&mut self, value: u32) {
        self.emit(MOVE, (ANSWER, 0), 0, value);
        self.emit(EXIT, (0, 0), 0, 0);
    }
}

/// Rules that can still decide something, newest first.
fn effective(rules: &[Rule]) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::new();
    for rule in rules.iter().rev() {
        if !kept.iter().any(|newer| newer.covers(rule)) {
            kept.push(*rule);
        }
    }
    // There is no third kind: what holds for both needs no question.
    kept.dedup_by(|older, newer| {
        let both = older.kind.is_some() && newer.kind.is_some() && older.kind != newer.kind;
        let same = Rule {
            kind: newer.kind,
            ..*older
        } == *newer;
        if both && same {
            newer.kind = None;
        }
        both && same
    });
    // The oldest ones deny what is denied anyway.
    while kept.last().is_some_and(|rule| !rule.allow) {
        kept.pop();
    }
    kept
}

/// Compiles rules, of which later ones win.
pub(in crate::resources) fn compile(rules: &[Rule]) -> Verdict {
    let rules = effective(rules);
    let denies = rules.iter().any(|rule| !rule.allow);
    let allows_all = rules
        .iter()
        .any(|rule| rule.allow && rule.is_wild() && rule.access == Access::ALL);
    if allows_all && !denies {
        return Verdict::AllowAll;
    }
    let mut program = Assembler::default();
    program.emit(LOAD_WORD, (UNDECIDED, QUESTION), ACCESS_TYPE_AT, 0);
    program.emit(MOVE_REGISTER, (KIND, UNDECIDED), 0, 0);
    program.emit(AND, (KIND, 0), 0, KIND_MASK);
    program.emit(SHIFT_RIGHT, (UNDECIDED, 0), 0, ACCESS_SHIFT);
    program.emit(LOAD_WORD, (MAJOR, QUESTION), MAJOR_AT, 0);
    program.emit(LOAD_WORD, (MINOR, QUESTION), MINOR_AT, 0);
    let mut decided = false;
    for run in rules.chunk_by(|one, other| allows_some(one) && allows_some(other)) {
        if run.iter().all(allows_some) {
            allow(&mut program, run.to_vec());
            continue;
        }
        for rule in run {
            decide(&mut program, rule);
            // Nothing gets past it, and the kernel refuses a program with a part that cannot be reached.
            decided |= rule.is_wild() && rule.access == Access::ALL;
        }
        if decided {
            break;
        }
    }
    if !decided || program.is_wanted(Label::Deny) {
        program.land(Label::Deny);
        program.answer(0);
    }
    if program.is_wanted(Label::Allow) {
        program.land(Label::Allow);
        program.answer(1);
    }
    Verdict::Ask(program.code)
}

/// Whether the rule allows everything with some devices.
fn allows_some(rule: &Rule) -> bool {
    rule.allow && rule.access == Access::ALL && !rule.is_wild()
}

fn number_of(kind: Kind) -> u32 {
    match kind {
        Kind::Block => BLOCK,
        Kind::Char => CHAR,
    }
}

/// Rules one after the other that allow everything with their devices: their order does not matter, so that kind and
/// major number are asked once. The kernel follows every path when it loads a program, so questions are dear.
fn allow(program: &mut Assembler, mut rules: Vec<Rule>) {
    rules.sort_by_key(|rule| (rule.kind.map(number_of), rule.major, rule.minor));
    for of_kind in rules.chunk_by(|one, other| one.kind == other.kind) {
        if let Some(kind) = of_kind.first().and_then(|rule| rule.kind) {
            program.jump(JUMP_IF_NOT_EQUAL, KIND, number_of(kind), Label::NextKind);
        }
        for of_major in of_kind.chunk_by(|one, other| one.major == other.major) {
            let major = of_major.first().and_then(|rule| rule.major);
            if let Some(major) = major {
                program.jump(JUMP_IF_NOT_EQUAL, MAJOR, major, Label::NextMajor);
            }
            if of_major.iter().any(|rule| rule.minor.is_none()) {
                program.jump(JUMP, 0, 0, Label::Allow);
                if major.is_none() {
                    // The rest of this kind is allowed by it too, and could not be reached.
                    break;
                }
            } else {
                for minor in of_major.iter().filter_map(|rule| rule.minor) {
                    program.jump(JUMP_IF_EQUAL, MINOR, minor, Label::Allow);
                }
            }
            program.land(Label::NextMajor);
        }
        program.land(Label::NextKind);
    }
}

fn decide(program: &mut Assembler, rule: &Rule) {
    let kind = rule.kind.map(number_of);
    for (register, wanted) in [(KIND, kind), (MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(wanted) = wanted {
            program.jump(JUMP_IF_NOT_EQUAL, register, wanted, Label::Next);
        }
    }
    let bits = u32::from(rule.access.0);
    match (rule.allow, rule.access == Access::ALL) {
        (true, true) => program.jump(JUMP, 0, 0, Label::Allow),
        (false, true) => program.jump(JUMP, 0, 0, Label::Deny),
        (true, false) => {
            let others = u32::from(Access::ALL.0) & !bits;
            program.emit(AND, (UNDECIDED, 0), 0, others);
            program.jump(JUMP_IF_EQUAL, UNDECIDED, 0, Label::Allow);
        }
        (false, false) => program.jump(JUMP_IF_SET, UNDECIDED, bits, Label::Deny),
    }
    program.land(Label::Next);
}
