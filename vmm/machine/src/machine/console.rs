//! The last words of a guest kernel on its console.

/// What a line means for the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LastWords {
    /// The kernel panicked; the words of the panic.
    Panic(String),
    /// The kernel halted or powered down.
    Halt,
}

/// What the kernel prints (kernel/panic.c, kernel/reboot.c). Containers cannot write there: the console belongs to the
/// kernel and its first process.
const PANIC: &str = "Kernel panic - not syncing";
const HALTS: [&str; 2] = ["reboot: System halted", "reboot: Power down"];

/// The longest text that is handed on.
const MAX_CHARS: usize = 256;

/// What `line` says.
pub(super) fn last_words(line: &str) -> Option<LastWords> {
    if let Some(start) = line.find(PANIC) {
        let words = line[start..].chars().filter(|c| !c.is_control());
        return Some(LastWords::Panic(words.take(MAX_CHARS).collect()));
    }
    HALTS
        .iter()
        .any(|halt| line.ends_with(halt))
        .then_some(LastWords::Halt)
}

#[cfg(test)]
mod tests {
    use super::{LastWords, last_words};

    #[test]
    fn panic_line_is_found_behind_its_time_and_cut_to_a_bound() {
        let line = "[    1.5] Kernel panic - not syncing: Attempted to kill init!";
        let words = "Kernel panic - not syncing: Attempted to kill init!";
        assert_eq!(last_words(line), Some(LastWords::Panic(words.to_owned())));
        let long = format!("Kernel panic - not syncing: \x1b{}", "é".repeat(1000));
        let Some(LastWords::Panic(text)) = last_words(&long) else {
            panic!("not found");
        };
        assert_eq!(text.chars().count(), 256);
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn halt_is_the_end_of_a_line() {
        assert_eq!(
            last_words("[    9.0] reboot: System halted"),
            Some(LastWords::Halt)
        );
        assert_eq!(last_words("reboot: Power down"), Some(LastWords::Halt));
        assert_eq!(last_words("reboot: System halted? no"), None);
        assert_eq!(last_words("[    0.0] Linux version 6.12"), None);
    }
}
