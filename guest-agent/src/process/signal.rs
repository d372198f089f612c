//! Signal numbers from the host: an unsafe room, because the library asks for care with real-time signals.

use rustix::process::Signal;

/// The C library keeps the real-time signals below this one for itself.
const FIRST_REALTIME: i32 = 35;

/// The last signal of Linux.
const LAST: i32 = 64;

/// A signal that may be sent to a container's process.
pub(crate) fn parse_signal(number: u32) -> Option<Signal> {
    let number = i32::try_from(number).ok()?;
    if !(FIRST_REALTIME..=LAST).contains(&number) {
        return Signal::from_named_raw(number);
    }
    // SAFETY: the number must be a valid signal and none that the C library keeps: it is between the first that is
    // free and the last that exists.
    Some(unsafe { Signal::from_raw_unchecked(number) })
}

#[cfg(test)]
mod tests;
