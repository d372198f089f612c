//! Signals by the names that people and images give them.

/// Names without `SIG`, x86_64's numbers (signal(7)).
const NAMES: [(&str, u32); 34] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("RTMAX", LAST),
];

/// The first real-time signal that programs may use.
const RTMIN: u32 = 34;

const LAST: u32 = 64;

/// The number of a signal: `TERM`, `SIGTERM`, `15`, `RTMIN+3`, `RTMAX-1`, in either case.
#[must_use]
pub fn signal_number(text: &str) -> Option<u32> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.parse().ok().filter(|n| (1..=LAST).contains(n));
    }
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset = match offset {
            "" => 0,
            plus => plus.strip_prefix('+')?.parse::<u32>().ok()?,
        };
        return RTMIN.checked_add(offset).filter(|n| *n <= LAST);
    }
    if let Some(offset) = name.strip_prefix("RTMAX-") {
        return LAST
            .checked_sub(offset.parse().ok()?)
            .filter(|n| *n >= RTMIN);
    }
    let known = NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, number)| *number)
}
