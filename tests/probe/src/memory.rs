//! Memory that is used for a time, and free after it.

use std::{
    hint::black_box,
    io::{self, Read, Write},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

const PAGE_BYTES: usize = 4096;

/// Uses `mib` MiB and says `held`; after one byte on standard input frees them and says `free`; then says `tick` once a
/// second, until standard input ends.
pub(crate) fn hold_then_free(mib: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut say = |word: &str| writeln!(out, "{word}").and_then(|()| out.flush());
    let mut memory = vec![0_u8; mib << 20];
    memory
        .iter_mut()
        .step_by(PAGE_BYTES)
        .for_each(|byte| *byte = 1);
    black_box(&memory);
    say("held")?;
    io::stdin().read_exact(&mut [0])?;
    drop(memory);
    say("free")?;
    let (ended, end) = mpsc::channel();
    thread::spawn(move || {
        // However it ends, it ends.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        ended.send(())
    });
    while end.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        say("tick")?;
    }
    Ok(())
}
