//! Rules and their programs, which an interpreter runs here as the kernel does in the guest.

use oci_spec::runtime::LinuxDeviceCgroup;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    program::{self, Instruction, Verdict, compile},
    rules::{Access, Kind, Rule, parse},
};

/// A question of the kernel.
#[derive(Clone, Copy, Debug)]
struct Question {
    kind: Kind,
    major: u32,
    minor: u32,
    access: Access,
}

/// Runs a program. Every instruction that the compiler does not use is an error, as is leaving the program.
fn run(code: &[Instruction], question: Question) -> bool {
    let kind = match question.kind {
        Kind::Block => 1,
        Kind::Char => 2,
    };
    let words = [
        u32::from(question.access.0) << 16 | kind,
        question.major,
        question.minor,
    ];
    let mut registers = [None; 11];
    let mut at = 0;
    // No program can jump back, so it ends.
    for _ in 0..=code.len() {
        let [opcode, both, o1, o2, a, b, c, d] = code[at];
        let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
        let (offset, value) = (
            u16::from_le_bytes([o1, o2]),
            u32::from_le_bytes([a, b, c, d]),
        );
        let mut jumps = false;
        let register = registers[to];
        match opcode {
            program::LOAD_WORD => {
                assert_eq!(from, 1, "reads from the question");
                registers[to] = Some(words[usize::from(offset) / 4]);
            }
            program::MOVE => registers[to] = Some(value),
            program::MOVE_REGISTER => registers[to] = Some(registers[from].unwrap()),
            program::AND => registers[to] = Some(register.unwrap() & value),
            program::SHIFT_RIGHT => registers[to] = Some(register.unwrap() >> value),
            program::JUMP => jumps = true,
            program::JUMP_IF_EQUAL => jumps = register.unwrap() == value,
            program::JUMP_IF_NOT_EQUAL => jumps = register.unwrap() != value,
            program::JUMP_IF_SET => jumps = register.unwrap() & value != 0,
            program::EXIT => return registers[0].unwrap() == 1,
            other => panic!("opcode {other:#x}"),
        }
        at += 1 + if jumps { usize::from(offset) } else { 0 };
    }
    panic!("the program does not end");
}

fn allowed(rules: &[Rule], question: Question) -> bool {
    match compile(rules) {
        Verdict::AllowAll => true,
        Verdict::Ask(code) => run(&code, question),
    }
}

/// What the rules mean, said forwards: each access is what the last rule about it says.
fn meaning(rules: &[Rule], question: Question) -> bool {
    [Access::READ, Access::WRITE, Access::MKNOD]
        .into_iter()
        .filter(|access| question.access.holds(*access))
        .all(|access| {
            let mut allow = false;
            for rule in rules {
                let matches = rule.kind.is_none_or(|kind| kind == question.kind)
                    && rule.major.is_none_or(|major| major == question.major)
                    && rule.minor.is_none_or(|minor| minor == question.minor)
                    && rule.access.holds(access);
                if matches {
                    allow = rule.allow;
                }
            }
            allow
        })
}

/// Every part of the program can be reached: the kernel refuses it otherwise.
fn unreachable(code: &[Instruction]) -> Vec<usize> {
    let mut reached = vec![false; code.len()];
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        let target = at + 1 + usize::from(u16::from_le_bytes([code[at][2], code[at][3]]));
        match code[at][0] {
            program::EXIT => {}
            program::JUMP => open.push(target),
            program::JUMP_IF_EQUAL | program::JUMP_IF_NOT_EQUAL | program::JUMP_IF_SET => {
                open.extend([at + 1, target]);
            }
            _ => open.push(at + 1),
        }
    }
    (0..code.len()).filter(|&at| !reached[at]).collect()
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let kind = prop_oneof![Just(None), Just(Some(Kind::Block)), Just(Some(Kind::Char))];
    let number = || proptest::option::of(0_u32..3);
    let rule = (any::<bool>(), kind, number(), number(), 1_u8..8);
    let rule = rule.prop_map(|(allow, kind, major, minor, access)| Rule {
        allow,
        kind,
        major,
        minor,
        access: Access(access),
    });
    proptest::collection::vec(rule, 0..12)
}

proptest! {
    #[test]
    fn program_decides_as_the_last_rule_about_each_access(rules in rules()) {
        for kind in [Kind::Block, Kind::Char] {
            for (major, minor) in (0..4).flat_map(|major| (0..4).map(move |minor| (major, minor))) {
                for access in 1..8 {
                    let question = Question { kind, major, minor, access: Access(access) };
                    prop_assert_eq!(
                        allowed(&rules, question), meaning(&rules, question), "{:?}", question
                    );
                }
            }
        }
    }

    #[test]
    fn program_has_no_part_that_cannot_be_reached(rules in rules()) {
        if let Verdict::Ask(code) = compile(&rules) {
            prop_assert_eq!(unreachable(&code), Vec::<usize>::new());
        }
    }
}

fn given(rules: &Value) -> Result<Vec<Rule>, String> {
    let rules: Vec<LinuxDeviceCgroup> = serde_json::from_value(rules.clone()).unwrap();
    parse(&rules).map_err(|error| error.to_string())
}

fn question(kind: Kind, major: u32, minor: u32, access: &[Access]) -> Question {
    let access = Access(access.iter().fold(0, |bits, access| bits | access.0));
    Question {
        kind,
        major,
        minor,
        access,
    }
}

#[test]
fn container_without_rules_has_the_default_devices_only() {
    for rules in [
        json!([]),
        json!([{"allow": false, "access": "rwm"}]),
        json!([{"allow": false, "type": "a", "major": -1, "minor": -1, "access": "rwm"}]),
    ] {
        let rules = given(&rules).unwrap();
        for (major, minor) in [
            (1, 3),
            (1, 5),
            (1, 7),
            (1, 8),
            (1, 9),
            (5, 0),
            (5, 2),
            (136, 7),
        ] {
            let open = question(Kind::Char, major, minor, &[Access::READ, Access::WRITE]);
            assert!(allowed(&rules, open), "{major}:{minor}");
        }
        for (kind, major, minor) in [
            (Kind::Block, 254, 0),
            (Kind::Char, 1, 1),
            (Kind::Char, 5, 1),
            (Kind::Char, 10, 200),
        ] {
            for access in [Access::READ, Access::WRITE] {
                let open = question(kind, major, minor, &[access]);
                assert!(!allowed(&rules, open), "{open:?}");
            }
            let make = question(kind, major, minor, &[Access::MKNOD]);
            assert!(allowed(&rules, make), "{make:?}");
        }
    }
}

#[test]
fn rules_that_engines_repeat_add_nothing_to_the_program() {
    let engines = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "access": "m"},
        {"allow": true, "type": "b", "access": "m"},
        {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
        {"allow": true, "type": "c", "major": 136, "access": "rwm"},
    ]);
    let given = given(&engines).unwrap();
    assert_eq!(compile(&given), compile(&parse(&[]).unwrap()));
}

#[test]
fn privileged_container_needs_no_program() {
    let rules = given(&json!([{"allow": true, "access": "rwm"}])).unwrap();
    assert_eq!(compile(&rules), Verdict::AllowAll);
}

#[test]
fn rule_for_one_device_gives_just_its_accesses() {
    let rules = given(&json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "b", "major": 8, "minor": 1, "access": "r"},
    ]))
    .unwrap();
    let open = |access: &[Access]| allowed(&rules, question(Kind::Block, 8, 1, access));
    assert!(open(&[Access::READ]));
    assert!(!open(&[Access::WRITE]));
    assert!(!open(&[Access::READ, Access::WRITE]));
}

#[test]
fn what_is_wrong_with_a_rule_is_told_by_name() {
    let cases = [
        (
            json!({"allow": true, "type": "p", "access": "r"}),
            "devices[0].type: \"p\"",
        ),
        (
            json!({"allow": true, "type": "u", "access": "r"}),
            "devices[0].type: \"u\"",
        ),
        (
            json!({"allow": true, "access": ""}),
            "devices[0].access: \"\"",
        ),
        (json!({"allow": true}), "devices[0].access: \"\""),
        (
            json!({"allow": true, "access": "rx"}),
            "devices[0].access: \"rx\"",
        ),
        (
            json!({"allow": true, "major": 4096, "access": "r"}),
            "devices[0].major: 4096",
        ),
        (
            json!({"allow": true, "minor": -2, "access": "r"}),
            "devices[0].minor: -2",
        ),
        (
            json!({"allow": true, "minor": 1_048_576, "access": "r"}),
            "devices[0].minor: 1048576",
        ),
    ];
    for (rule, expected) in cases {
        let told = given(&json!([rule])).unwrap_err();
        assert!(told.contains(expected), "{told}");
    }
    let many = vec![json!({"allow": true, "access": "r"}); 1025];
    assert!(given(&json!(many)).unwrap_err().contains("1025"));
}

#[test]
fn longest_program_fits_the_offset_of_a_jump() {
    let rules: Vec<Value> = (0..1024)
        .map(|minor| json!({"allow": minor % 2 == 0, "type": "c", "major": 7, "minor": minor, "access": "rw"}))
        .collect();
    let Verdict::Ask(code) = compile(&given(&json!(rules)).unwrap()) else {
        panic!("no program");
    };
    assert!(code.len() < usize::from(i16::MAX.unsigned_abs()));
    assert_eq!(unreachable(&code), Vec::<usize>::new());
    let rules = given(&json!(rules)).unwrap();
    for (minor, expected) in [(0, true), (1, false), (1022, true), (1023, false)] {
        assert_eq!(
            allowed(&rules, question(Kind::Char, 7, minor, &[Access::READ])),
            expected,
            "{minor}"
        );
    }
}
