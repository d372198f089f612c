//! The terminal of this process, while a container's process has one of its own: raw, and given back on every way out.

use std::io::{self, IsTerminal, stdin, stdout};

use anyhow::{Result, bail};
use husk_sandbox::engine::Window;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Our terminal in raw mode: keys go to the container, Ctrl-C too.
#[derive(Debug)]
pub(crate) struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Changes the mode of standard input's terminal.
    pub(crate) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        let guard = Self { before };
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(guard)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone has no mode.
        tcsetattr(stdin(), OptionalActions::Now, &self.before).ok();
    }
}

/// Refuses what cannot work: a terminal for the container whose keys come from a file.
pub(crate) fn check_input(tty: bool, interactive: bool) -> Result<()> {
    if tty && interactive && !stdin().is_terminal() {
        bail!("-t with -i needs a terminal as standard input");
    }
    Ok(())
}

/// The size of our terminal; unknown when there is none.
pub(crate) fn window() -> Window {
    let size = tcgetwinsize(stdout()).or_else(|_| tcgetwinsize(stdin()));
    size.map_or_else(
        |_| Window::default(),
        |size| Window {
            columns: size.ws_col,
            rows: size.ws_row,
        },
    )
}

/// News of our terminal's size.
#[derive(Debug)]
pub(crate) struct Windows {
    changed: Option<Signal>,
}

impl Windows {
    /// Listens if there is a terminal that matters.
    pub(crate) fn listen(tty: bool) -> io::Result<Self> {
        let changed = tty.then(|| signal(SignalKind::window_change()));
        Ok(Self {
            changed: changed.transpose()?,
        })
    }

    /// The next size. Pending for ever when there is none.
    pub(crate) async fn next(&mut self) -> Window {
        let changed = match &mut self.changed {
            Some(changed) => changed.recv().await,
            None => None,
        };
        match changed {
            Some(()) => window(),
            None => std::future::pending().await,
        }
    }
}
