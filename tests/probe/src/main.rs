//! What the end-to-end tests run inside a container: a static program with a handful of verbs, each of which
//! prints what it found, one fact a line, and leaves the judgement to the test.

#![forbid(unsafe_code)]

mod files;
mod look;
mod memory;
mod pattern;
mod vsock_reach;

use std::{env, io, process::ExitCode};

const USAGE: &str = "usage: probe look [WORD...] | read PATH... | pattern BYTES | check-pattern | memory MIB | vsock";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["pattern", bytes] => bytes
            .parse()
            .map_err(|cause| io::Error::other(format!("byte count {bytes}: {cause}")))
            .and_then(|bytes| pattern::write(&mut io::stdout().lock(), bytes)),
        ["check-pattern"] => pattern::check(&mut io::stdin().lock()).map(|n| println!("{n}")),
        ["memory", mib] => mib
            .parse()
            .map_err(|cause| io::Error::other(format!("size {mib}: {cause}")))
            .and_then(memory::hold_then_free),
        // The words after it are there to be seen.
        ["look", ..] => look::report(),
        ["read", paths @ ..] => files::read(paths),
        ["vsock"] => {
            vsock_reach::report();
            Ok(())
        }
        _ => Err(io::Error::other(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("probe: {cause}");
            ExitCode::FAILURE
        }
    }
}
