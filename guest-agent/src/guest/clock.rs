//! The guest's clocks.

use std::io;

use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

/// Microseconds since the kernel started.
pub(crate) fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanos / 1000
}

/// Sets the wall clock to what the host says.
pub(crate) fn set_wall_clock(seconds: i64, nanos: u32) -> io::Result<()> {
    clock_settime(
        ClockId::Realtime,
        Timespec {
            tv_sec: seconds,
            tv_nsec: nanos.into(),
        },
    )?;
    Ok(())
}
