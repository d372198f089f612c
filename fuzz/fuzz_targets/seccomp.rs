//! Any seccomp profile: it is refused with a reason, or becomes a program that the kernel's checker would take.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oci_spec::runtime::LinuxSeccomp;

#[path = "../../guest-agent/src/seccomp/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the agent uses the rest of it"
)]
mod seccomp;

use seccomp::{Profile, Program, compile};

fuzz_target!(|json: &[u8]| {
    let Ok(profile) = serde_json::from_slice::<LinuxSeccomp>(json) else {
        return;
    };
    match Profile::new(&profile).and_then(|profile| compile(&profile)) {
        Ok(program) => {
            let words = program.to_words();
            check(&words[1..]);
            assert_eq!(Program::from_words(&words), Some(program));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

/// What the kernel asks of a filter: known instructions, jumps that stay inside, a return at the end.
fn check(instructions: &[u64]) {
    assert!((1..=4096).contains(&instructions.len()));
    for (index, word) in instructions.iter().enumerate() {
        let [a, b, c, d, if_false, if_true, code, high] = word.to_le_bytes();
        assert_eq!(high, 0);
        let after = instructions.len() - index - 1;
        let value = u32::from_le_bytes([a, b, c, d]);
        match code {
            0x20 => assert!(after > 0 && value < 64 && value.is_multiple_of(4)),
            0x54 => assert!(after > 0),
            0x05 => assert!(usize::try_from(value).is_ok_and(|skipped| skipped < after)),
            0x15 | 0x25 | 0x35 | 0x45 => assert!(usize::from(if_true.max(if_false)) < after),
            0x06 => {}
            _ => panic!("instruction {code:#x}"),
        }
    }
    let last = instructions.last().map(|last| last.to_le_bytes()[6]);
    assert_eq!(last, Some(0x06));
}
