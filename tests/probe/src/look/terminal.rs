//! The standard streams, and the terminal behind them.

use std::{
    fs,
    io::{stderr, stdin, stdout},
    os::fd::AsFd,
};

use rustix::termios::{isatty, tcgetattr, tcgetpgrp, tcgetwinsize};
use serde_json::{Map, Value, json};

use super::{process, text};

/// What each stream is, and which others are open.
pub(super) fn streams() -> Map<String, Value> {
    let mut facts = Map::new();
    let mut note = |name: &str, fd: &dyn AsFd, number: u32| {
        let kind = process::link(&format!("/proc/self/fd/{number}"));
        facts.insert(name.to_owned(), kind.into());
        if isatty(fd) {
            facts.insert(format!("{name}_terminal"), terminal(fd));
        }
    };
    note("stdin", &stdin(), 0);
    note("stdout", &stdout(), 1);
    note("stderr", &stderr(), 2);
    // The directory that is being read is one of them.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |list| list.count().saturating_sub(1));
    facts.insert("open".to_owned(), open.into());
    facts.insert(
        "dev_tty".to_owned(),
        text::outcome(fs::File::open("/dev/tty")).into(),
    );
    facts
}

fn terminal(fd: &dyn AsFd) -> Value {
    let size = tcgetwinsize(fd).map(|size| format!("{}x{}", size.ws_col, size.ws_row));
    let modes = tcgetattr(fd).map(|modes| {
        let (input, output) = (modes.input_modes.bits(), modes.output_modes.bits());
        let (control, local) = (modes.control_modes.bits(), modes.local_modes.bits());
        format!("{input:o} {output:o} {control:o} {local:o}")
    });
    json!({
        "size": size.unwrap_or_else(|error| text::error(&error.into())),
        "modes": modes.unwrap_or_else(|error| text::error(&error.into())),
        "foreground": text::outcome(tcgetpgrp(fd)),
    })
}
