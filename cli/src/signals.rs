//! Signals that people and programs send to `husk run` and `husk exec`: they are meant for what runs in the container.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// What came of something that a signal can call off.
pub(crate) enum Step<T> {
    /// It is done.
    Done(T),
    /// The signal came first.
    Ended(Signal),
}

/// What is passed on. Stop and continue act on this process, as on every foreground job.
const FORWARDED: [Signal; 7] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
];

/// A second interrupt or termination within this time means that the first was not heard.
const GRACE: Duration = Duration::from_secs(10);

/// The signals that arrive.
#[derive(Debug)]
pub(crate) struct Signals {
    arrived: mpsc::Receiver<Signal>,
    arrive: mpsc::Sender<Signal>,
    asked_to_end: Option<Asked>,
}

/// Who asked to end, and when.
type Asked = (Signal, Instant);

/// What one signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Pass it on.
    Forward(Signal),
    /// End everything now.
    Kill(Signal),
}

impl Signals {
    /// Takes the signals over from their default, which ends this process.
    pub(crate) fn listen() -> io::Result<Self> {
        let (arrive, arrived) = mpsc::channel(16);
        for kind in FORWARDED {
            let mut stream = signal(SignalKind::from_raw(kind.as_raw()))?;
            let arrive = arrive.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if arrive.send(kind).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self {
            arrived,
            arrive,
            asked_to_end: None,
        })
    }

    /// For those who ask like a signal does.
    pub(crate) fn sender(&self) -> mpsc::Sender<Signal> {
        self.arrive.clone()
    }

    /// The next signal and what it asks for. Pending for ever when there is none.
    pub(crate) async fn next(&mut self) -> Wish {
        match self.arrived.recv().await {
            Some(signal) => judge(&mut self.asked_to_end, signal, Instant::now()),
            None => std::future::pending().await,
        }
    }

    /// The next signal that asks to end; before a container runs, nothing else matters.
    pub(crate) async fn next_end(&mut self) -> Signal {
        loop {
            let (Wish::Forward(signal) | Wish::Kill(signal)) = self.next().await;
            if asks_to_end(signal) {
                return signal;
            }
        }
    }
}

fn asks_to_end(signal: Signal) -> bool {
    matches!(
        signal,
        Signal::HUP | Signal::INT | Signal::QUIT | Signal::TERM
    )
}

/// The same signal twice: a program may make a difference between the two.
fn judge(asked: &mut Option<Asked>, signal: Signal, now: Instant) -> Wish {
    if !matches!(signal, Signal::INT | Signal::TERM) {
        return Wish::Forward(signal);
    }
    let again =
        asked.is_some_and(|(before, at)| before == signal && now.duration_since(at) <= GRACE);
    *asked = Some((signal, now));
    if again {
        Wish::Kill(signal)
    } else {
        Wish::Forward(signal)
    }
}

/// The exit code of a process that this signal ended.
pub(crate) fn exit_code(signal: Signal) -> u8 {
    u8::try_from(signal.as_raw()).map_or(u8::MAX, |number| number.saturating_add(128))
}

#[cfg(test)]
mod tests;
